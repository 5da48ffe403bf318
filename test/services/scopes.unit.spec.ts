import { Injectable, Scope, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { describe, expect, it } from 'vitest';
import { Exclusive, InvalidOptionError, RedlockService } from '../../src/index.js';
import { ExclusiveJobs } from '../../src/services/exclusive-jobs.service.js';
import { build, byHand, ONCE_A_YEAR, start } from '../module/application.js';

@Injectable()
class Mailer {
  readonly sender = 'reports@example.com';
}

@Injectable({ scope: Scope.REQUEST })
class Tenant extends Mailer {}

interface Reports {
  report(): Promise<string>;
}

@Injectable({ scope: Scope.REQUEST })
class OfRequest implements Reports {
  constructor(readonly mailer: Mailer) {}

  @Exclusive('report') async report(): Promise<string> {
    return this.mailer.sender;
  }
}

@Injectable()
class OfTenant implements Reports {
  constructor(readonly tenant: Tenant) {}

  @Exclusive('report') async report(): Promise<string> {
    return this.tenant.sender;
  }
}

@Injectable({ scope: Scope.TRANSIENT })
class OfConsumer implements Reports {
  constructor(readonly mailer: Mailer) {}

  @Cron(ONCE_A_YEAR, byHand('report'))
  @Exclusive('report', { recover: true, missed: 'once' })
  async report(): Promise<string> {
    return this.mailer.sender;
  }
}

describe.each<[string, Type<Reports>]>([
  ['a request-scoped provider', OfRequest],
  ['a provider that depends on a request-scoped one', OfTenant],
  ['a transient provider', OfConsumer],
])('the job of %s', (_what, Class) => {
  it('is refused by trigger(), which has no object to call it on, and leaves no record', async () => {
    const app = await start({ providers: [Mailer, Tenant, Class] });
    const redlock = app.get(RedlockService);
    const error = await redlock.trigger('report').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(String(error)).toContain(
      `cannot be that of ${Class.name}.report, whose object belongs to a request, or is created for each consumer`,
    );
    expect(await redlock.history('report')).toEqual([]);
  });

  it('is not called by a catch-up or a recovery', async () => {
    const app = await start({ providers: [Mailer, Tenant, Class] });
    expect([...app.get(ExclusiveJobs).declared()]).toEqual([]);
  });

  it('runs when it is called on such an object', async () => {
    const app = await start({ providers: [Mailer, Tenant, Class] });
    const reports = await app.resolve<Reports>(Class);
    expect(await reports.report()).toBe('reports@example.com');
    expect(await app.get(RedlockService).history('report')).toMatchObject([{ outcome: 'finished' }]);
  });

  it('keeps its name for itself', async () => {
    @Injectable()
    class Other {
      @Exclusive('report') async other(): Promise<void> {}
    }
    const app = await build({ providers: [Mailer, Tenant, Class, Other] });
    await expect(app.init()).rejects.toThrow('"report" is already used by');
  });
});
