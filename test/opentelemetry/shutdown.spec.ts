import { expect, it, vi } from 'vitest';
import { closeNow } from '../close-after-test.js';
import { MemoryNode } from '../../src/index.js';
import { RedlockTelemetryModule } from '../../src/opentelemetry/index.js';
import { build } from '../module/application.js';
import { Jobs, lasting, startFleet, work } from './application.js';
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

it('a run that does not end is counted once, with the reason on record', async () => {
  const fleet = await startFleet(1, {}, { shutdownTimeout: 1, maxRuntime: '1m' });
  const end = lasting();
  const [app] = fleet.instances;
  const call = app?.get(Jobs).report();
  await fleet.advance('90s');
  await closeNow(fleet);
  const counted = { 'job.name=report job.outcome=aborted job.trigger=call': 1 };
  expect(await sdk.values('runs')).toEqual(counted);
  expect(await sdk.values('run.duration')).toEqual({ 'job.name=report job.outcome=aborted': 90 });
  expect(sdk.spans.map(({ attributes }) => attributes)).toMatchObject([
    { 'job.outcome': 'aborted', 'error.type': 'RunTimeoutError' },
  ]);
  end();
  await call;
  expect(await sdk.values('runs')).toEqual(counted);
});

it('an application that is closed while it starts has no metrics', async () => {
  const nodes = new MemoryNode();
  const parts = { redlock: { nodes }, imports: [RedlockTelemetryModule.forRoot()] };
  const app = (await build(parts)).createNestApplication();
  const open = vi.spyOn(nodes, 'open').mockImplementation(async () => {
    await app.close();
    throw new Error('closed');
  });
  await app.init();
  expect(open).toHaveBeenCalledOnce();
  expect(await sdk.values('held_leases')).toEqual({});
});
