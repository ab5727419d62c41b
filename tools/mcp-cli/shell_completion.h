/* SPDX-License-Identifier: MIT
 *
 * The completion scripts of the shells, made from completions/ by the build.
 */
#ifndef MCP_CLI_SHELL_COMPLETION_H
#define MCP_CLI_SHELL_COMPLETION_H

extern const char completion_bash[], completion_zsh[], completion_fish[];

#endif
