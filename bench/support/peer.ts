// The peer: ONNX Runtime on the CPU, with as many threads as ours. It is no dependency of the package: bench/peer has a manifest
// and a lock file of its own and is installed at first use, without its install script, which only fetches GPU libraries.
// A call takes and returns plain layout, as ours does; what ONNX Runtime spends on its blocked layout inside a call counts.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { product, type PeerCase } from './cases.js';
import { convModel } from './onnx_model.js';
import { peerFolder, peerRequire } from './paths.js';
import type { Contestant } from './timing.js';

/** The part of onnxruntime-node that is used here; its own types are not there before it is installed. */
interface OnnxRuntime {
  env: { versions: { node?: string } };
  Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => object;
  InferenceSession: { create(model: Uint8Array, options: object): Promise<Session> };
}

interface Session {
  run(feeds: Record<string, object>, fetches: Record<string, object>): Promise<unknown>;
  release(): Promise<void>;
}

function runtime(): OnnxRuntime {
  return peerRequire('onnxruntime-node') as OnnxRuntime;
}

/** Installs the peer if it is not there, and tries to load it. */
export function installPeer(log: (line: string) => void): { version: string } | { trouble: string } {
  if (!existsSync(join(peerFolder, 'node_modules', 'onnxruntime-node', 'package.json'))) {
    log('installing onnxruntime-node (about 290 MB) in bench/peer ...');
    try {
      execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: peerFolder, stdio: 'pipe' });
    } catch (error) {
      const { stderr, message } = error as { stderr?: Buffer; message: string };
      const said = stderr
        ?.toString()
        .split('\n')
        .find((line) => line.startsWith('npm error'));
      return { trouble: `\`npm ci\` in bench/peer failed: ${said ?? message}` };
    }
  }
  try {
    return { version: `onnxruntime-node ${runtime().env.versions.node ?? ''}`.trim() };
  } catch (error) {
    return { trouble: `onnxruntime-node does not load: ${(error as Error).message.split('\n')[0]}` };
  }
}

export async function preparePeer(
  peerCase: PeerCase,
  threads: number,
): Promise<Contestant & { dispose(): Promise<void> }> {
  const ort = runtime();
  const { bytes, outputShape } = convModel(peerCase);
  const session = await ort.InferenceSession.create(bytes, {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Its threads go on looking for work some 30 ms after a run, on the cores that the next sample of ours needs.
    extra: { session: { force_spinning_stop: '1' } },
  });
  const values = Float32Array.from({ length: product(peerCase.input) }, () => Math.random() - 0.5);
  const feeds = { x: new ort.Tensor('float32', values, peerCase.input) };
  // The output is written where it was written before: no allocation in a call.
  const fetches = { y: new ort.Tensor('float32', new Float32Array(product(outputShape)), outputShape) };
  return {
    async sample(calls, warm) {
      if (warm) await session.run(feeds, fetches);
      const start = performance.now();
      for (let call = 0; call < calls; ++call) await session.run(feeds, fetches);
      const ms = (performance.now() - start) / calls;
      return { ms, wallMs: ms };
    },
    dispose: () => session.release(),
  };
}
