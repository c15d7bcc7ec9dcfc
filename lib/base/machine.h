/*
 * machine.h - how much memory a process may have, and has
 */
#ifndef DS_BASE_MACHINE_H
#define DS_BASE_MACHINE_H

double ds_machine_bytes(
	void); /* the machine's, or less where a control group or ulimit -v says so */
double ds_process_bytes(void); /* what this process holds now */

#endif
