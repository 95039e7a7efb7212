/** @internal */
export const errorCodes = [
  'invalid_argument',
  'invalid_shape',
  'disposed',
  'device_mismatch',
  'graph_released',
  'state_dict_mismatch',
  'invalid_file',
  'out_of_memory',
  'device_failure',
  'native_missing',
  'backend_missing',
  'backend_broken',
  'device_unavailable',
  'cancelled',
] as const;

/** What went wrong, for programs: stable across versions. */
export type GmrErrorCode = (typeof errorCodes)[number];

/** Every error of this package. `message` names the argument, what was expected and what came. */
export class GmrError extends Error {
  readonly code: GmrErrorCode;

  constructor(code: GmrErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'GmrError';
    this.code = code;
  }
}

/** `[where] expected <argument> to <expectation>, received <received>`. */
export function fail(
  where: string,
  argument: string,
  expectation: string,
  received: unknown,
  code: GmrErrorCode = 'invalid_argument',
): never {
  throw new GmrError(code, `[${where}] expected ${argument} to ${expectation}, received ${show(received)}`);
}

/** @internal Words that stand in an error message as they are, where the received thing is no plain value. */
export class Described {
  constructor(readonly text: string) {}
}

/** The name of a class or function, which it may have forged. */
function nameOf(named: { name?: unknown }, nameless: string): string {
  const { name } = named;
  return typeof name === 'string' && name !== '' ? name : nameless;
}

function className(value: object): string {
  try {
    return nameOf(value.constructor, 'an object');
  } catch {
    return 'an object';
  }
}

/** A short picture of any value, for error messages. Arrays deeper than matrices are cut short: they may hold themselves. */
export function show(value: unknown, depth = 0): string {
  if (value instanceof Described) return value.text;
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'function') return `function ${nameOf(value, '(anonymous)')}`;
  if (Array.isArray(value)) {
    if (depth > 1) return `[${value.length} items]`;
    const items = Array.from(value.slice(0, 8), (item) => show(item, depth + 1));
    return `[${items.join(', ')}${value.length > 8 ? `, ... ${value.length} items` : ''}]`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${className(value)} of length ${'length' in value ? String(value.length) : value.byteLength}`;
  }
  if (typeof value === 'object' && value !== null) return className(value);
  return String(value);
}

/** Whether `value` is made by `{}` and the like, and no instance of a class. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Objects of other realms have another Object.prototype, whose prototype is null as well.
  return prototype === null || (Object.getPrototypeOf(prototype) === null && !Array.isArray(value));
}

/** A plain object, or an error. */
export function expectPlainObject(where: string, argument: string, value: unknown): void {
  if (!isPlainObject(value)) fail(where, argument, 'be a plain object', value);
}

/** @internal The names that an interface of options has: with one forgotten, or one too many, it does not compile. */
export type OptionNames<O> = Readonly<Record<keyof O, true>>;

/** Letters to insert, drop or change that make `b` of `a` (Levenshtein's distance). */
function letterChanges(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j); // of the first letters of a, none at first
  for (let i = 0; i < a.length; ++i) {
    const next = [i + 1];
    for (let j = 0; j < b.length; ++j) {
      next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The name that was probably meant, if there is one: a letter in three may differ, whatever the case and underscores. */
function closest(unknown: string, names: readonly string[]): string | undefined {
  const plain = (name: string): string => name.toLowerCase().replaceAll('_', '');
  const wanted = plain(unknown);
  let most = Math.max(1, Math.floor(wanted.length / 3));
  let found: string | undefined;
  for (const name of names) {
    if (Math.abs(plain(name).length - wanted.length) > most) continue; // and no work on names of any length
    const changes = letterChanges(wanted, plain(name));
    if (changes > most) continue;
    [found, most] = [name, changes - 1];
  }
  return found;
}

/** @internal Options of known names, or an error: what is misspelt would be ignored without a word. */
export function expectOptions<O extends object>(
  where: string,
  options: O,
  names: OptionNames<NoInfer<O>>,
  argument = 'options',
): void {
  expectPlainObject(where, argument, options);
  const unknown = Object.keys(options).find((key) => !Object.hasOwn(names, key));
  if (unknown === undefined) return;
  const known = Object.keys(names);
  const close = closest(unknown, known);
  const received = `${show(unknown)}${close === undefined ? '' : ` (did you mean '${close}'?)`}`;
  fail(where, argument, `hold only ${known.join(', ')}`, new Described(received));
}

export function expectFunction(where: string, argument: string, value: unknown): void {
  if (typeof value !== 'function') fail(where, argument, 'be a function', value);
}

/** A string, or an error. */
export function expectString(where: string, argument: string, value: unknown): string {
  if (typeof value !== 'string') fail(where, argument, 'be a string', value);
  return value;
}

/** The items of an array of `least` to `most`, holes as undefined (which the methods of arrays skip), or an error. */
export function expectArray(
  where: string,
  argument: string,
  value: unknown,
  what: string,
  least: number,
  most = least,
): unknown[] {
  if (!Array.isArray(value) || value.length < least || value.length > most) fail(where, argument, `be ${what}`, value);
  return Array.from<unknown>(value);
}

/** A boolean, or an error. */
export function expectBoolean(where: string, argument: string, value: unknown): boolean {
  if (typeof value !== 'boolean') fail(where, argument, 'be a boolean', value);
  return value;
}

/** An integer in [min, max], or an error. */
export function expectInteger(where: string, argument: string, value: unknown, min: number, max = 2 ** 31 - 1): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    const isUnlimited = max === 2 ** 31 - 1 && !(typeof value === 'number' && value > max);
    fail(where, argument, isUnlimited ? `be an integer >= ${min}` : `be an integer in [${min}, ${max}]`, value);
  }
  return value;
}

/** A finite number in [min, max], or an error. */
export function expectNumber(
  where: string,
  argument: string,
  value: unknown,
  min = -Number.MAX_VALUE,
  max = Number.MAX_VALUE,
): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max) {
    const range = min === -Number.MAX_VALUE ? '' : max === Number.MAX_VALUE ? ` >= ${min}` : ` in [${min}, ${max}]`;
    fail(where, argument, `be a finite number${range}`, value);
  }
  return value;
}
