import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { InvalidOptionError, MemoryNode, RedlockModule, RedlockService } from '../../src/index.js';
import * as names from '../../src/opentelemetry/index.js';
import { RedlockTelemetryModule } from '../../src/opentelemetry/index.js';
import { close, start } from '../module/application.js';
import { useSdk } from './sdk.js';

const sdk = useSdk();

it('the entry exports this name, and no other', () => {
  expect(Object.keys(names)).toEqual(['RedlockTelemetryModule']);
});

it('nothing outside src/opentelemetry imports it or the API of OpenTelemetry', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const importers = files.filter((file) =>
    /from '.*opentelemetry/.test(readFileSync(join('src', file), 'utf8')),
  );
  expect(importers).not.toEqual([]);
  expect(importers.filter((file) => !file.startsWith('opentelemetry'))).toEqual([]);
});

it('forRoot refuses unknown options and values', () => {
  expect(() => RedlockTelemetryModule.forRoot({ tenants: 'yes' as never })).toThrow(
    'RedlockTelemetryModule: tenants must be true or false; received "yes"',
  );
  expect(() => RedlockTelemetryModule.forRoot({ tenant: true } as never)).toThrow(InvalidOptionError);
});

it('an application without RedlockModule does not start, and is told what is missing', async () => {
  const starting = start({ redlock: null, imports: [RedlockTelemetryModule.forRoot()] });
  await expect(starting).rejects.toThrow(
    'RedlockTelemetryModule: imports of AppModule must contain RedlockModule.forRoot(...)',
  );
});

it('an application does not start if it would count each run twice', async () => {
  const imports = [RedlockTelemetryModule.forRoot(), RedlockTelemetryModule.forRoot()];
  await expect(start({ imports })).rejects.toThrow(
    'RedlockTelemetryModule: imports of the application must contain it only once',
  );
});

it('follows a RedlockModule that is not global, whatever the order of the imports', async () => {
  const redlock = RedlockModule.forRoot({ nodes: 'memory', isGlobal: false });
  const app = await start({ redlock: null, imports: [RedlockTelemetryModule.forRoot(), redlock] });
  await app.get(RedlockService, { strict: false }).run('report', () => 1);
  expect(sdk.spans).toHaveLength(1);
});

it('measures the nodes of a RedlockModule that is enabled, whatever the order of the imports', async () => {
  const node = new MemoryNode();
  const off = RedlockModule.forRoot({ enabled: false, isGlobal: false });
  const on = RedlockModule.forRoot({ nodes: node, isGlobal: false });
  await start({ redlock: null, imports: [off, on, RedlockTelemetryModule.forRoot()] });
  await expect.poll(() => sdk.values('node.up')).toEqual({ [`node.address=${node.address}`]: 1 });
});

it('an application that is closed is not asked for metrics any more', async () => {
  const app = await start({ imports: [RedlockTelemetryModule.forRoot()] });
  await close(app);
  expect(await sdk.values('held_leases')).toEqual({});
});
