/** Whether a value is an object with these methods, from whatever copy of a package it comes. */
export function hasMethods(value: unknown, ...methods: string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return methods.every((method) => typeof Reflect.get(value, method) === 'function');
  } catch {
    // For example, a request-scoped proxy that cannot be read now.
    return false;
  }
}
