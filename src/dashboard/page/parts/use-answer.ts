import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { overview } from '../state.js';

/** The last answer of the server to a question that is asked with each refresh, and why there is no newer one. */
export function useAnswer<T>(ask: () => Promise<T>, key: string) {
  const answer = useSignal<T | undefined>(undefined);
  const error = useSignal<Error | undefined>(undefined);
  // There is a new overview with each refresh, and none while the page is hidden.
  const refresh = overview.value;
  const renew = async (): Promise<void> => {
    try {
      answer.value = await ask();
      error.value = undefined;
    } catch (thrown) {
      error.value = thrown as Error;
    }
  };
  useEffect(() => void renew(), [key, refresh]);
  return { answer: answer.value, error: error.value, renew };
}
