#pragma once
/* The commands that run a node: one function each, argv[0] is the command's name, the result is the
 * exit code (0 fine, 1 failed, 2 wrong use).  The others, and the table of all, are in tools/. */

int command_node(int argc, char **argv);   /* command_node.c */
int command_config(int argc, char **argv); /* command_node.c */
int command_dev(int argc, char **argv);    /* command_dev.c */
