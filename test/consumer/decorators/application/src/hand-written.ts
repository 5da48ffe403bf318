/** A decorator as people write it: it copies no metadata and passes no arguments on. */
export function LogErrors(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as () => Promise<unknown>;
    descriptor.value = async function (this: unknown) {
      try {
        return await inner.call(this);
      } catch (error) {
        console.error(`Caught: ${String(error)}`);
      }
    };
  };
}

/** Another one: it makes up to three attempts. */
export function Retry(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const inner = descriptor.value as (...args: unknown[]) => Promise<unknown>;
    descriptor.value = async function (this: unknown, ...args: unknown[]) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await inner.apply(this, args);
        } catch (error) {
          if (attempt === 3) throw error;
        }
      }
    };
  };
}
