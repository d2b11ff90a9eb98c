/**
 * The seeds of the fuzzing that is part of every run. One that finds something new is put here, in the place of the
 * old one or beside it, with the defect's own test elsewhere.
 */
export const seeds = { stdio: 20_260_101, patterns: 20_260_102, kubeconfig: 20_260_103 } as const;
