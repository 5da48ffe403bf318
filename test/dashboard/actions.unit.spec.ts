import { Injectable } from '@nestjs/common';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { act } from '../../src/dashboard/actions.js';
import type { RedlockApi } from '../../src/dashboard/redlock-api.js';
import {
  Exclusive,
  InvalidOptionError,
  MemoryNode,
  RedlockService,
  StoreDownError,
} from '../../src/index.js';
import { start } from '../module/application.js';

class FallibleNode extends MemoryNode {
  isDown = false;

  override async claim(...claim: Parameters<MemoryNode['claim']>) {
    if (this.isDown) throw new Error('no memory');
    return super.claim(...claim);
  }
}

@Injectable()
class Jobs {
  constructor(private readonly redlock: RedlockService) {}

  @Exclusive('report') report(): void {}

  @Exclusive('generator') async generator() {
    return (function* () {})();
  }

  @Exclusive('revoked') async revoked(): Promise<void> {
    const { proxy, revoke } = Proxy.revocable(new Error('no paper'), {});
    revoke();
    throw proxy;
  }

  @Exclusive('misuse') async misuse(): Promise<void> {
    await this.redlock.lock('');
  }
}
Reflect.defineMetadata('design:paramtypes', [RedlockService], Jobs);

describe('a request to run a job now', () => {
  let node: FallibleNode;
  let redlock: RedlockService;
  const trigger = (name: string) => act(redlock, 'trigger', { name });

  beforeEach(async () => {
    node = new FallibleNode();
    const app = await start({
      providers: [Jobs],
      redlock: { nodes: node, nodeTimeout: 20, onStoreDown: 'throw' },
    });
    redlock = app.get(RedlockService);
  });

  it('is refused if this instance does not declare the job', async () => {
    await expect(trigger('elsewhere')).rejects.toThrow(InvalidOptionError);
  });

  it('is refused without a quorum', async () => {
    node.isDown = true;
    await expect(trigger('report')).rejects.toThrow(StoreDownError);
  });

  it.each(['generator', 'misuse'])(
    'has failed if the run has thrown an error of this package: %s',
    async (name) => {
      const reason = expect.stringContaining('InvalidOptionError') as string;
      expect(await trigger(name)).toEqual({ name, outcome: 'failed', reason });
    },
  );

  it.each(['running', 'waiting'])('is answered after two seconds if the job is %s', async (outcome) => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const listeners: ((event: object) => void)[] = [];
    const slow = {
      on: (_event: string, listener: (event: object) => void) => {
        listeners.push(listener);
        return () => {};
      },
      trigger: () => new Promise(() => {}),
    };
    const answer = act(slow as unknown as RedlockApi, 'trigger', { name: 'report' });
    for (const name of ['other', ...(outcome === 'running' ? ['report'] : [])])
      for (const listener of listeners) listener({ name, trigger: 'manual' });
    await vi.advanceTimersByTimeAsync(2000);
    expect(await answer).toEqual({ name: 'report', outcome });
  });

  it('has failed if the run has thrown an error that cannot be read', async () => {
    const reason = 'an error that cannot be read';
    expect(await trigger('revoked')).toEqual({ name: 'revoked', outcome: 'failed', reason });
  });
});
