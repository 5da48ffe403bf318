// What the page asks its server. The script knows where it came from, and so where the server is.
import type { ActionOutcome, FleetView, JobDetail, Json, Overview } from '../page-data.js';

const API = new URL('../api/', import.meta.url);
/** Longer than the server waits for anything with the default `nodeTimeout`, in milliseconds. */
const TIMEOUT = 15_000;

/** The server has not answered with what was asked for. */
export class RefusedError extends Error {
  constructor(
    message: string,
    /** Whether it may have done what was asked for: the answer of a proxy, for example, does not tell. */
    readonly mayBeDone: boolean,
  ) {
    super(message);
  }
}

export const fetchOverview = (since: readonly string[]): Promise<Json<Overview>> =>
  ask(`overview?since=${since.join()}`);

export const fetchJob = (name: string): Promise<Json<JobDetail>> =>
  ask(`job?name=${encodeURIComponent(name)}`);

export const fetchFleet = (): Promise<Json<FleetView | null>> => ask('fleet');

export type Action = 'pause' | 'resume' | 'trigger';

export const perform = (action: Action, body: object): Promise<ActionOutcome> =>
  ask(action, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-redlock-dashboard': '1' },
    body: JSON.stringify(body),
  });

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(new URL(path, API), { signal: AbortSignal.timeout(TIMEOUT), ...init }).catch(
    () => {
      throw new RefusedError('The server does not answer.', true);
    },
  );
  const body = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined) return body as T;
  const { status, redirected } = answer;
  const mayBeDone = status >= 500 || (status < 400 && !redirected);
  throw new RefusedError(reasonOf(answer, body), mayBeDone);
}

function reasonOf({ status, statusText, redirected }: Response, body: unknown): string {
  if (redirected) return 'The server redirects to another page: you may have to sign in again.';
  if (status === 401) return 'You are not signed in.';
  const { error, statusCode } = Object(body) as { error?: unknown; statusCode?: unknown };
  // The dashboard itself says why. A guard gives no reason, or one in the format of Nest, which has a
  // `statusCode`.
  const isOfTheDashboard = typeof error === 'string' && statusCode === undefined;
  if (status === 403 && !isOfTheDashboard) return 'You are not allowed to do this.';
  return typeof error === 'string' ? error : `The server answered ${status} ${statusText}`.trim();
}
