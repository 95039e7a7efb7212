/** How often a test repeats: `quick` in npm test, `full` in npm run test:soak, which sets GMR_TEST_ROUNDS. */
export function rounds({ quick, full }: { quick: number; full: number }): number {
  return process.env['GMR_TEST_ROUNDS'] === 'full' ? full : quick;
}
