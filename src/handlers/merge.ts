/**
 * `context.merge`: several async iterables as one, each value as it comes. Of each source one value at most
 * is asked for ahead, so a slow reader holds all of them back. When one fails, or whoever reads leaves, the
 * others are closed.
 */

interface Step<Value> {
  readonly iterator: AsyncIterator<Value>;
  readonly result: IteratorResult<Value>;
}

export async function* merged<Value>(sources: readonly AsyncIterable<Value>[]): AsyncGenerator<Value> {
  const steps = new Map<AsyncIterator<Value>, Promise<Step<Value>>>();
  const ask = (iterator: AsyncIterator<Value>): void => {
    steps.set(iterator, stepOf(iterator));
  };
  for (const source of sources) ask(source[Symbol.asyncIterator]());
  try {
    while (steps.size > 0) {
      const { iterator, result } = await Promise.race(steps.values());
      if (result.done === true) {
        steps.delete(iterator);
        continue;
      }
      // Behind the others, or a source that is always ready would keep them out.
      steps.delete(iterator);
      ask(iterator);
      yield result.value;
    }
  } finally {
    for (const [iterator, step] of steps) close(iterator, step);
  }
}

async function stepOf<Value>(iterator: AsyncIterator<Value>): Promise<Step<Value>> {
  return { iterator, result: await iterator.next() };
}

/** Nobody waits for it any more: what it still fails of is nobody's fault. */
function close(iterator: AsyncIterator<unknown>, step: Promise<unknown>): void {
  const ignore = (): void => undefined;
  step.catch(ignore);
  iterator.return?.().then(ignore, ignore);
}
