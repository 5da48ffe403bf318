import { init } from '@sentry/nestjs';
import { TRACING } from './tracing.js';

/** What would have been sent to Sentry, in a few words each. */
export const sent: string[] = [];

/** The properties that tell what a payload is about. */
interface Payload {
  readonly monitor_slug?: string;
  readonly status?: string;
  readonly transaction?: string;
  readonly items?: readonly { readonly name: string }[];
  readonly exception?: {
    readonly values?: readonly { readonly value?: string; readonly mechanism?: { readonly type: string } }[];
  };
}

function described(type: string, payload: Payload): string[] {
  const { monitor_slug, status, transaction, items = [], exception } = payload;
  switch (type) {
    case 'check_in':
      return [`check-in of ${monitor_slug}: ${status}`];
    // Sentry 10 sends a transaction for each span that has no parent; Sentry 11 sends spans.
    case 'transaction':
      return [`span ${transaction}`];
    case 'span':
      return items.map(({ name }) => `span ${name}`);
    case 'event':
      return (exception?.values ?? []).map(
        ({ value, mechanism }) => `${value}, captured by ${mechanism?.type}`,
      );
    default:
      return [];
  }
}

init({
  ...TRACING,
  dsn: 'https://key@sentry.invalid/1',
  tracesSampleRate: 1,
  transport: () => ({
    send: async ([, items]) => {
      for (const [{ type }, payload] of items) sent.push(...described(type, payload as Payload));
      return {};
    },
    flush: async () => true,
  }),
});
