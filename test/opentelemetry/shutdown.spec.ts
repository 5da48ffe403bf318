import { expect, it } from 'vitest';
import { closeNow } from '../close-after-test.js';
import { Jobs, startFleet, work } from './application.js';
import { useSdk } from './sdk.js';

const sdk = useSdk();

it('the span of a run ends with the application if the run does not', async () => {
  const fleet = await startFleet(1, {}, { shutdownTimeout: 1 });
  work.job = () => new Promise(() => {});
  void fleet.instances[0]?.get(Jobs).report();
  await fleet.advance('1s');
  expect(sdk.spans).toEqual([]);
  await closeNow(fleet);
  expect(sdk.spans.map(({ attributes }) => attributes)).toMatchObject([
    { 'job.outcome': 'aborted', 'error.type': 'ShutdownError' },
  ]);
});
