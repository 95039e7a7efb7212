// npm run demo: brings everything into place that the MNIST demo needs, then runs it with the arguments given.
import { runCompiled, runMain } from './steps.mjs';

await runMain(() => runCompiled('Demo', 'examples', 'mnist', 'main.js'), { hasHelp: true });
