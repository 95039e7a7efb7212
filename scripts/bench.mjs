// npm run bench: brings everything into place that the bench needs, but its peer, which it fetches itself; then runs it
// with the arguments given.
import { runCompiled, runMain } from './steps.mjs';

await runMain(() => runCompiled('Bench', 'bench', 'run.js'), { hasHelp: true });
