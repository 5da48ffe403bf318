// What all parts of the page share.
import { computed, effect, signal } from '@preact/signals';
import type { Json, Overview } from '../page-data.js';
import type { JobRow } from './model/job-row.js';
import { cursorsWith, merged } from './model/merge.js';
import { fetchOverview } from './server-api.js';

/** How long to wait after a failure, in milliseconds. */
const RETRY = 4000;

export const rows = signal<ReadonlyMap<string, JobRow>>(new Map());
export const rowList = computed(() => [...rows.value.values()]);
/** The last answer; `undefined` before the first one. */
export const overview = signal<Omit<Json<Overview>, 'jobs'> | undefined>(undefined);
/** Why there is no newer answer, and since when, by the clock of the server. */
export const failure = signal<{ readonly message: string; readonly since: number } | undefined>(undefined);

/** By how much the clock of the server is ahead of the browser's, in milliseconds. */
let clockAhead = 0;
const serverNow = (): number => Date.now() + clockAhead;
/** The time of the server, renewed each second while the page is visible. */
export const now = signal(Date.now());

/** The part of the URL after `#`, without the slash that it begins with. */
export const route = signal(routeOf(location.hash));
addEventListener('hashchange', () => {
  route.value = routeOf(location.hash);
  scrollTo(0, 0);
});
function routeOf(hash: string): string {
  return hash.replace(/^#\/?/, '');
}

/** The name of the job whose page this is. */
export const routedJob = computed(() => {
  if (!route.value.startsWith('job/')) return undefined;
  try {
    return decodeURIComponent(route.value.slice('job/'.length));
  } catch {
    return route.value;
  }
});
export const jobUrl = (name: string): string => `#/job/${encodeURIComponent(name)}`;

let cursors: readonly string[] = [];
let polling: ReturnType<typeof setTimeout> | undefined;

/** Asks for what has changed, at once and then again and again, while the page is visible. */
export async function poll(): Promise<void> {
  clearTimeout(polling);
  let pause = RETRY;
  try {
    const { jobs, ...answer } = await fetchOverview(cursors);
    clockAhead = answer.now - Date.now();
    cursors = cursorsWith(cursors, answer.cursor);
    rows.value = merged(rows.value, jobs);
    overview.value = answer;
    failure.value = undefined;
    pause = answer.refresh;
  } catch (error) {
    failure.value = { message: (error as Error).message, since: failure.value?.since ?? serverNow() };
  }
  clearTimeout(polling);
  if (!document.hidden) polling = setTimeout(poll, pause);
}

export function begin(): void {
  setInterval(() => {
    if (!document.hidden) now.value = serverNow();
  }, 1000);
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) return clearTimeout(polling);
    now.value = serverNow();
    void poll();
  });
  effect(() => {
    document.title = routedJob.value ?? { timeline: 'Timeline', fleet: 'Fleet' }[route.value] ?? 'Jobs';
  });
  void poll();
}
