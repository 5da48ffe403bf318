interface Closable {
  close(): Promise<unknown>;
}

const open = new Set<Closable>();

/** Closes an application or a fleet after the test, unless it is closed by then with `closeNow`. */
export function closeAfterTest(it: Closable): void {
  open.add(it);
}

export async function closeNow(it: Closable): Promise<void> {
  open.delete(it);
  await it.close();
}

/** Called after each test by `setup.ts`: hooks of a module that test files share would belong to the first of them. */
export async function closeAll(): Promise<void> {
  const all = [...open];
  open.clear();
  await Promise.all(all.map((it) => it.close()));
}
