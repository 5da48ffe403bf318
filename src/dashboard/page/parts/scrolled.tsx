import type { ComponentChildren } from 'preact';

/** A table that may be wider than the page: it scrolls in its own box, also with the keyboard. */
export function Scrolled({ labelledBy, children }: { labelledBy: string; children: ComponentChildren }) {
  return (
    <div class="scrolled" role="group" aria-labelledby={labelledBy} tabIndex={0}>
      {children}
    </div>
  );
}
