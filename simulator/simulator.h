#pragma once
/* `baton simulate`: a cluster on one thread, its bad days drawn from a seed, and every rule that
 * must hold checked after every step (checker.h, world.h).
 *
 *   --seed S            one run; the same seed gives the same trace hash on every build
 *   --seeds A..B        many, on all cores (--jobs N), with a progress line on a terminal
 *   --kind K            sequencer: all of it, pool, blocks, consensus, sync, batches (default)
 *                       consensus: the consensus machine alone, several times faster
 *   --nodes N           otherwise drawn from the seed
 *   --model M           crash or byzantine; otherwise drawn from the seed
 *   --steps K           events until the faults stop (default 2500)
 *   --without I,J,...   leaves faults out, by number
 *   --trace             prints every event of the run (trace.h)
 *   --first             stops at the first seed that fails
 *   --shrink S          finds a shorter run that breaks the same rule
 *   --report FILE       the JSON report goes there instead of standard output
 *
 * SIGINT and SIGTERM end a run of many seeds early; the report is about those that were run.
 *
 * Exit code 0: no rule was broken, and what was to be tried happened.  1: a rule was broken.
 * 2: the command line is wrong.  3: nothing was broken, but some fault or rule never happened,
 * which is no pass.  130: a signal ended the run early, which is none either. */

/* simulator_main runs the command; argv[0] is "simulate". */
int simulator_main(int argc, char **argv);
