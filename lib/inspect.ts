/** The method by which `console.log` and `util.inspect` ask for words; by its registered name, so that declarations need no types of Node. */
export const inspectMethod: unique symbol = Symbol.for('nodejs.util.inspect.custom');
