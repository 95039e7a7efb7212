// Samples of several contestants in turn, so that whatever else the machine does meets all of them alike.

export interface Sample {
  /** Milliseconds a call, by the contestant's own clock. */
  ms: number;
  /** Milliseconds a call from the first request to the answer. */
  wallMs: number;
  /** What multiply-adds alone reached right after it, for contestants that are held against that. */
  fmaGflops?: number;
}

export interface Contestant {
  /** Runs `calls` calls, back to back, after one untimed call if `warm`. */
  sample(calls: number, warm: boolean): Promise<Sample>;
}

export interface Timing {
  /** Medians of the samples. */
  ms: number;
  wallMs: number;
  fmaGflops?: number;
  /** The middle half of the samples. */
  quartilesMs: readonly [number, number];
  samples: number;
  callsPerSample: number;
}

export function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = fraction * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below]!;
  return low + (at - below) * ((sorted[below + 1] ?? low) - low);
}

// A sample is long against the clock and the scheduler's interruptions, and short enough that rounds are many.
const sampleMs = 12;
// A call of this length warms its own caches.
const coldMattersBelowMs = 40;
// What one slow contestant may take in all rounds together; it then sits some rounds out, but never has fewer samples than this.
const contestantBudgetMs = 1200;
const fewestSamples = 3;

/** Times the contestants in `rounds` rounds, each starting with another one. */
export async function race(contestants: readonly Contestant[], rounds: number): Promise<Timing[]> {
  const plans = [];
  for (const contestant of contestants) {
    // The first call allocates and packs; the second tells how long a call takes.
    await contestant.sample(1, false);
    const { wallMs } = await contestant.sample(1, false);
    const calls = Math.max(1, Math.min(500, Math.round(sampleMs / wallMs)));
    const affordable = Math.max(fewestSamples, Math.floor(contestantBudgetMs / (calls * wallMs)));
    const every = Math.max(1, Math.floor(rounds / affordable));
    plans.push({ contestant, calls, warm: wallMs < coldMattersBelowMs, every, samples: [] as Sample[] });
  }
  for (let round = 0; round < rounds; ++round) {
    for (let i = 0; i < plans.length; ++i) {
      const plan = plans[(i + round) % plans.length]!;
      if (round % plan.every === 0) plan.samples.push(await plan.contestant.sample(plan.calls, plan.warm));
    }
  }
  const median = (values: readonly number[]): number => quantile(values, 0.5);
  return plans.map(({ samples, calls }) => {
    const times = samples.map(({ ms }) => ms);
    const moments = samples.flatMap(({ fmaGflops }) => fmaGflops ?? []);
    return {
      ms: median(times),
      wallMs: median(samples.map(({ wallMs }) => wallMs)),
      ...(moments.length === 0 ? {} : { fmaGflops: median(moments) }),
      quartilesMs: [quantile(times, 0.25), quantile(times, 0.75)],
      samples: samples.length,
      callsPerSample: calls,
    };
  });
}
