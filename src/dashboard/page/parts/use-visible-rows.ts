import { type RefObject } from 'preact';
import { useLayoutEffect, useState } from 'preact/hooks';

/** How many rows to render above and below those in sight. */
const MARGIN = 8;

/** Which of `count` rows of one height to render while the window scrolls: the first, and the one after the last. */
export function useVisibleRows(
  body: RefObject<HTMLElement | null>,
  count: number,
  height: number,
): readonly [first: number, end: number] {
  const [range, setRange] = useState<readonly [number, number]>([0, 40]);
  useLayoutEffect(() => {
    const measure = (): void => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / height) - MARGIN);
      const end = Math.min(count, Math.ceil((innerHeight - top) / height) + MARGIN);
      setRange((before) => (before[0] === first && before[1] === end ? before : [first, end]));
    };
    measure();
    addEventListener('scroll', measure, { passive: true });
    addEventListener('resize', measure);
    return () => {
      removeEventListener('scroll', measure);
      removeEventListener('resize', measure);
    };
  }, [count, height]);
  return range;
}
