import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';

let isOn: boolean;

/** A decorator that calls the method if a flag is set. */
function Flagged(_target: object, _key: string, descriptor: PropertyDescriptor): void {
  const method = descriptor.value as (...args: unknown[]) => unknown;
  descriptor.value = async function (...args: unknown[]): Promise<unknown> {
    return isOn ? Reflect.apply(method, this, args) : undefined;
  };
}

@Injectable()
class Jobs {
  @Exclusive('outer') async outer(): Promise<string> {
    return `outer of ${await this.inner()}`;
  }

  @Exclusive('inner') async inner(): Promise<string> {
    return 'inner';
  }

  @Flagged
  @Exclusive('flagged')
  async flagged(): Promise<string> {
    return 'flagged';
  }

  @Exclusive((folder: string) => `folder:${folder}`)
  async folder(name: string, ...within: string[]): Promise<string> {
    const [next, ...others] = within;
    return next === undefined ? name : `${name}/${await this.folder(next, ...others)}`;
  }
}

it('a job that calls another one has its own outcome when it is triggered', async () => {
  const redlock = (await start({ providers: [Jobs] })).get(RedlockService);
  expect(await redlock.trigger('outer')).toEqual({ ran: true, value: 'outer of inner' });
  const lock = await redlock.lock('inner');
  expect(await redlock.trigger('outer')).toEqual({ ran: true, value: 'outer of undefined' });
  expect(await redlock.trigger('inner')).toEqual({ ran: false, reason: 'overlap' });
  await lock?.release();
});

it('so has a job that calls itself under another name', async () => {
  const redlock = (await start({ providers: [Jobs] })).get(RedlockService);
  const outcome = await redlock.trigger('folder:a', 'a', 'b', 'c');
  expect(outcome).toEqual({ ran: true, value: 'a/b/c' });
});

it.each([true, false])(
  'a job that a decorator above does not call is not said to have run, with enabled: %s',
  async (enabled) => {
    const redlock = (await start({ redlock: { enabled }, providers: [Jobs] })).get(RedlockService);
    isOn = true;
    expect(await redlock.trigger('flagged')).toEqual({ ran: true, value: 'flagged' });
    isOn = false;
    await expect(redlock.trigger('flagged')).rejects.toThrow('returned without calling it');
  },
);
