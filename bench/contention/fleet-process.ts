/** A process full of instances, which claims what it is told to. */
import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { Instance } from './instance.js';
import { type Answer, monotonicNow, type Order } from './protocol.js';

/** How many instances connect at a time. */
const CONNECT_AT_ONCE = 50;
/** A timer is late by a millisecond and more: what is left is waited for without one, in milliseconds. */
const SPIN = 3;

const instances: Instance[] = [];

Logger.overrideLogger(false);
// Whoever started this process is gone.
process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  void (order.do === 'connect' ? connect(order) : contend(order));
});

async function connect({ ports, instances: count }: Extract<Order, { do: 'connect' }>): Promise<void> {
  while (instances.length < count) {
    const next = Math.min(CONNECT_AT_ONCE, count - instances.length);
    instances.push(...(await Promise.all(Array.from({ length: next }, () => Instance.connect(ports)))));
  }
  answer({ is: 'ready' });
}

async function contend({ way, callAt, ...contest }: Extract<Order, { do: 'tick' }>): Promise<void> {
  const before = sent();
  await pause(callAt - monotonicNow() - SPIN);
  while (monotonicNow() < callAt);
  const called = monotonicNow();
  const starts = await Promise.all(instances.map((instance) => instance.contend(way, contest)));
  answer({
    is: 'over',
    called,
    starts: starts.filter((start) => start !== undefined),
    sent: sent() - before,
  });
}

function sent(): number {
  return instances.reduce((sum, instance) => sum + instance.sent, 0);
}

function answer(message: Answer): void {
  process.send?.(message);
}
