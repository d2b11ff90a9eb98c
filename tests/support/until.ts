/** Waiting in tests: for what is to come about, and never for a time alone. */

/** Resolves when `condition` holds; throws after two minutes. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 120_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It never came true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
