import { Injectable, type Type } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { getActiveSpan, SentryCron } from '@sentry/nestjs';
import { Exclusive } from 'nestjs-exclusive';
import { ClsServiceManager, UseCls } from 'nestjs-cls';
import { Span } from 'nestjs-otel';
import { LogErrors, Retry } from './hand-written.js';
import { Work } from './work.js';

const EVERY_SECOND = '* * * * * *';

type JobDecorator = (
  target: object,
  key: string,
  descriptor: TypedPropertyDescriptor<() => Promise<void>>,
) => void;

/** Jobs with `@Cron`, `@Exclusive` and a third decorator, in all six orders, each from the outermost to the innermost. */
function jobsWith(
  third: string,
  decorator: (name: string) => JobDecorator,
  job: (work: Work) => Promise<void>,
): Type {
  const named = (order: string): string => order.replace('Third', third);
  const Third = (order: string): JobDecorator => decorator(named(order));

  @Injectable()
  class Jobs {
    constructor(private readonly work: Work) {}

    @Cron(EVERY_SECOND)
    @Third('Cron > Third > Exclusive')
    @Exclusive(named('Cron > Third > Exclusive'))
    async between(): Promise<void> {
      await job(this.work);
    }

    @Third('Third > Cron > Exclusive')
    @Cron(EVERY_SECOND)
    @Exclusive(named('Third > Cron > Exclusive'))
    async above(): Promise<void> {
      await job(this.work);
    }

    @Cron(EVERY_SECOND)
    @Exclusive(named('Cron > Exclusive > Third'))
    @Third('Cron > Exclusive > Third')
    async below(): Promise<void> {
      await job(this.work);
    }

    @Exclusive(named('Exclusive > Third > Cron'))
    @Third('Exclusive > Third > Cron')
    @Cron(EVERY_SECOND)
    async betweenAboveCron(): Promise<void> {
      await job(this.work);
    }

    @Exclusive(named('Exclusive > Cron > Third'))
    @Cron(EVERY_SECOND)
    @Third('Exclusive > Cron > Third')
    async belowCron(): Promise<void> {
      await job(this.work);
    }

    @Third('Third > Exclusive > Cron')
    @Exclusive(named('Third > Exclusive > Cron'))
    @Cron(EVERY_SECOND)
    async aboveBoth(): Promise<void> {
      await job(this.work);
    }
  }
  return Jobs;
}

async function runIf(isInside: boolean, work: Work): Promise<void> {
  if (!isInside) throw new Error('The third decorator has no effect');
  await work.done();
}

async function succeedAtTheThirdAttempt(work: Work): Promise<void> {
  if ((await work.begun()) < 3) throw new Error('Not yet');
  await work.done();
}

export const JOBS = [
  jobsWith(
    'SentryCron',
    (name) => SentryCron(name),
    (work) => work.done(),
  ),
  jobsWith(
    'UseCls',
    () => UseCls(),
    (work) => runIf(ClsServiceManager.getClsService().isActive(), work),
  ),
  jobsWith(
    'Span',
    (name) => Span(name),
    (work) => runIf(getActiveSpan() !== undefined, work),
  ),
  jobsWith('LogErrors', LogErrors, (work) => work.done()),
  jobsWith('Retry', Retry, succeedAtTheThirdAttempt),
];
