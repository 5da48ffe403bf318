import { Injectable } from '@nestjs/common';
import { expect, it } from 'vitest';
import { Exclusive, RedlockService } from '../../src/index.js';
import { start } from '../module/application.js';

@Injectable()
class Jobs {
  @Exclusive('outer') async outer(): Promise<string> {
    return `outer of ${await this.inner()}`;
  }

  @Exclusive('inner') async inner(): Promise<string> {
    return 'inner';
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
