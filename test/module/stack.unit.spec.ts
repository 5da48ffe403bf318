import { expect, it } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { RedlockModule } from '../../src/index.js';

it.each<[string, () => unknown]>([
  ['RedlockModule.forRoot', () => RedlockModule.forRoot({ nodes: ['localhost:6379'] })],
  ['RedlockModule.forRootAsync', () => RedlockModule.forRootAsync({})],
  ['RedlockDashboardModule.forRoot', () => RedlockDashboardModule.forRoot({ path: 7 as unknown as string })],
  ['RedlockDashboardModule.forRootAsync', () => RedlockDashboardModule.forRootAsync({} as never)],
])('the stack of an error about the options of %s begins where the application calls it', (_entry, call) => {
  let stack: string[] | undefined;
  try {
    call();
  } catch (error) {
    stack = (error as Error).stack?.split('\n').filter((line) => line.startsWith('    at '));
  }
  expect(stack?.[0]).toContain('stack.unit.spec.ts');
});
