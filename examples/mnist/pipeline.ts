import { GmrError } from '../../lib/index.js';

/** Reads that may be under way: the host queues work this far ahead of what it has seen, so that neither waits for the other. */
const depth = 2;

/** @throws GmrError `cancelled` */
export function stopIfAsked(signal: AbortSignal): void {
  if (signal.aborted) throw new GmrError('cancelled', '[demo] stopped before the end', { cause: signal.reason });
}

/**
 * Queues work item by item and hands over each result in order, a few items later.
 * @param queue Queues item i without waiting and returns the promise of what it reads.
 * @param receive Is given the results in order.
 * @throws GmrError `cancelled` when `signal` says so, once what was queued has ended; else the first failure.
 */
export async function pipelined<T>(
  count: number,
  queue: (item: number) => Promise<T>,
  receive: (result: T, item: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const pending: Promise<T>[] = [];
  let received = 0;
  try {
    for (let item = 0; item < count && !signal.aborted; ++item) {
      const result = queue(item);
      // Awaited in its turn; until then a failure must not count as unhandled.
      result.catch(() => {});
      pending.push(result);
      if (pending.length > depth) receive(await pending.shift()!, received++);
    }
    while (pending.length > 0) receive(await pending.shift()!, received++);
  } finally {
    await Promise.allSettled(pending);
  }
  stopIfAsked(signal);
}
