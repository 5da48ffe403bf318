import type { CanActivate } from '@nestjs/common';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { RedlockDashboardModule } from '../../src/dashboard/index.js';
import { resolveSettings } from '../../src/dashboard/dashboard-options.js';

class Guard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}
const useFactory = () => ({});
const forRoot = (options: unknown) => () => RedlockDashboardModule.forRoot(options as object);
const forRootAsync = (options: unknown) => () =>
  RedlockDashboardModule.forRootAsync(options as { useFactory: () => object });

describe('the options of the dashboard', () => {
  afterEach(() => vi.unstubAllEnvs());

  it.each([
    {},
    undefined,
    { path: '/admin/jobs/' },
    { guards: [Guard, new Guard()], imports: [], actions: true, public: false },
  ])('can be %j', (options) => expect(forRoot(options)).not.toThrow());

  it.each([
    [{ path: '' }, 'path must be a non-empty string, such as \'jobs\'; received ""'],
    [
      { path: ':tenant/jobs' },
      'path must be a path without parameters, such as \'admin/jobs\'; received ":tenant/jobs"',
    ],
    [{ path: '/' }, 'path must be a path without parameters'],
    [{ guards: Guard }, 'guards must be an array'],
    [
      { guards: [Guard, {}] },
      'guards[1] must be a guard, or the class of one (with the method canActivate); received an object',
    ],
    [{ guards: [RedlockDashboardModule] }, 'guards[0] must be a guard'],
    [{ actions: 'yes' }, 'actions must be true or false; received "yes"'],
    [{ readOnly: true }, 'unknown option "readOnly" (known options: path, guards, imports, actions, public)'],
    ['jobs', 'options must be an object'],
  ])('cannot be %j', (options, message) =>
    expect(forRoot(options)).toThrow(`RedlockDashboardModule: ${message}`),
  );

  it.each([
    [{}, 'useFactory must be a function; received undefined'],
    [
      { useFactory, actions: true },
      'unknown option "actions" (known options: path, guards, imports, inject, useFactory); return it from useFactory',
    ],
    [{ useFactory, inject: 'Config' }, 'inject must be an array'],
  ])('cannot be %j with a factory', (options, message) =>
    expect(forRootAsync(options)).toThrow(`RedlockDashboardModule.forRootAsync(): ${message}`),
  );

  it('from a factory are checked when it has returned them', () => {
    expect(() => resolveSettings({ path: 'jobs' }, false)).toThrow(
      'RedlockDashboardModule: unknown option "path"',
    );
    expect(resolveSettings({}, false)).toEqual({ actions: false });
  });

  it('must have a guard in production, or say that the page is public', () => {
    vi.stubEnv('NODE_ENV', 'production');
    expect(() => resolveSettings({ public: false }, false)).toThrow('guards must not be empty in production');
    expect(() => resolveSettings({}, true)).not.toThrow();
    expect(() => resolveSettings({ public: true }, false)).not.toThrow();
    vi.stubEnv('NODE_ENV', 'staging');
    expect(() => resolveSettings({}, false)).not.toThrow();
  });
});
