import { describe, expect, it } from 'vitest';
import { VoteLimit } from '../../src/acquire/vote-limit.js';

/** Votes that are sent at `sentAt`, fill the limit, and take `latency` milliseconds. */
function round(limit: VoteLimit, sentAt: number, latency: number): void {
  for (let left = limit.current; left > 0; left--) limit.answered(sentAt, sentAt + latency, true);
}

describe('the limit of votes in flight', () => {
  it('doubles with each round of quick answers that it holds up, and ends at 1,024', () => {
    const limit = new VoteLimit(50);
    const seen = [0, 1, 2, 3, 4, 5].map((at) => {
      round(limit, at * 10, 5);
      return limit.current;
    });
    expect(seen).toEqual([128, 256, 512, 1024, 1024, 1024]);
  });

  it('stays where it is if no vote waits for it', () => {
    const limit = new VoteLimit(50);
    for (let at = 0; at < 1000; at++) limit.answered(at, at + 5, false);
    expect(limit.current).toBe(64);
  });

  it('falls once for all votes that were sent before it fell, and again for later ones', () => {
    const limit = new VoteLimit(50);
    limit.answered(0, 5, true);
    for (let vote = 0; vote < 64; vote++) limit.answered(10, 200, true);
    expect(limit.current).toBe(45);
    limit.answered(201, 400, true);
    expect(limit.current).toBe(31);
  });

  it('never falls below 4', () => {
    const limit = new VoteLimit(50);
    limit.answered(0, 5, true);
    for (let at = 10; at < 10_000; at += 300) limit.answered(at, at + 200, true);
    expect(limit.current).toBe(4);
  });

  it('grows by one with each round after it fell', () => {
    const limit = new VoteLimit(50);
    limit.answered(0, 5, true);
    limit.answered(10, 200, true);
    const fallen = limit.current;
    round(limit, 300, 5);
    round(limit, 310, 5);
    expect([limit.current - fallen]).toEqual([2]);
  });

  it('takes a distant server for distant, and not for overloaded', () => {
    const limit = new VoteLimit(50);
    for (let at = 0; at < 5; at++) round(limit, at * 200, 180);
    expect(limit.current).toBe(1024);
  });

  it('forgets the fastest answer when the network has become slower for good', () => {
    const limit = new VoteLimit(50);
    const slower = (from: number, to: number): number => {
      for (let at = from; at < to; at += 100) limit.answered(at, at + 100, true);
      return limit.current;
    };
    limit.answered(0, 1, true);
    expect(slower(100, 5000)).toBe(4);
    expect(slower(5000, 60_000)).toBeGreaterThan(4);
  });
});
