import { Cron, CronExpression, Interval, Timeout } from '@nestjs/schedule';
import { expect, it } from 'vitest';
import { type Schedule, scheduleOf } from '../../src/schedule/schedule-of.js';

const NOON = Date.parse('2026-11-22T12:00:00Z');

class Jobs {
  @Cron('30 2 * * *', { timeZone: 'America/New_York' }) inZone(): void {}
  @Cron('30 2 * * *', { utcOffset: -210 }) withOffset(): void {}
  @Cron('30 2 * * *', { name: 'zero', utcOffset: 0 }) withZeroOffset(): void {}
  @Cron(CronExpression.EVERY_10_SECONDS) everyTenSeconds(): void {}
  @Cron(new Date(NOON - 1234)) once(): void {}
  @Cron(new Date(NOON + 1234)) later(): void {}
  @Interval(1500) interval(): void {}
  @Interval('named interval', 2500) namedInterval(): void {}
  @Timeout(3500) timeout(): void {}
  @Timeout('named timeout', 3500) namedTimeout(): void {}
  plain(): void {}
}

const scheduleOfMethod = (method: keyof Jobs): Schedule => scheduleOf(Jobs.prototype[method]);

// What is not the metadata that the real decorators of @nestjs/schedule write would be of the kind "none".
it.each<[keyof Jobs, string | undefined]>([
  ['inZone', '2026-11-22T07:30:00.000Z'],
  ['withOffset', '2026-11-22T06:00:00.000Z'],
  ['withZeroOffset', '2026-11-22T02:30:00.000Z'],
  ['everyTenSeconds', '2026-11-22T12:00:00.000Z'],
  ['once', '2026-11-22T11:59:58.766Z'],
  ['later', undefined],
])('reads the schedule that @Cron has left on %s', (method, tick) => {
  const schedule = scheduleOfMethod(method);
  if (schedule.kind !== 'cron') throw new Error(`the kind is ${schedule.kind}`);
  const at = schedule.ticks.latest(NOON)?.at;
  expect(at === undefined ? undefined : new Date(at).toISOString()).toBe(tick);
});

it.each<[keyof Jobs, Schedule]>([
  ['interval', { kind: 'interval', every: 1500, name: undefined }],
  ['namedInterval', { kind: 'interval', every: 2500, name: 'named interval' }],
  ['timeout', { kind: 'timeout' }],
  ['namedTimeout', { kind: 'timeout' }],
  ['plain', { kind: 'none' }],
])('reads what the decorators of @nestjs/schedule have left on %s', (method, schedule) => {
  expect(scheduleOfMethod(method)).toEqual(schedule);
});
