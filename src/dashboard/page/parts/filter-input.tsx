import type { Signal } from '@preact/signals';

/** What is typed here becomes the filter: see `matches`. */
export function FilterInput({ filter }: { filter: Signal<string> }) {
  return (
    <input
      type="search"
      placeholder="Filter by name or schedule"
      aria-label="Filter by name or schedule"
      value={filter.value}
      onInput={({ currentTarget }) => (filter.value = currentTarget.value)}
    />
  );
}
