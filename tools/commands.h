#pragma once
/* The operator's commands beside the running node: one function each, argv[0] is the command's
 * name, the result is the exit code (0 fine, 1 failed, 2 wrong use).  Each is in command_NAME.c;
 * the table of all commands is in main.c. */

int command_init(int argc, char **argv);     /* command_init.c */
int command_key(int argc, char **argv);      /* command_key.c */
int command_join(int argc, char **argv);     /* command_join.c */
int command_rebuild(int argc, char **argv);  /* command_rebuild.c */
int command_import(int argc, char **argv);   /* command_import.c */
int command_health(int argc, char **argv);   /* command_health.c */
int command_testnet(int argc, char **argv);  /* command_testnet.c */
int command_monitor(int argc, char **argv);  /* command_monitor.c */
int command_evidence(int argc, char **argv); /* command_evidence.c */
