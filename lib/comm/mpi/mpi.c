/*
 * mpi.c - a link over MPI, built as libds-mpi.so
 *
 * Bytes go in messages of a slice, a few on their way to every rank at once; what came is kept until it was asked for.
 * MPI's own waiting burns a core, so a rank that has nothing to do sleeps, longer the longer nothing comes. How the
 * others fare MPI knows better: where one dies or aborts, its starter ends them all.
 */
#include "comm/mpi_table.h"

#include <mpi.h>
#include <string.h>
#include <time.h>

enum { SLICE = 1 << 16, ON_THE_WAY = 4, SHORTEST_NS = 5000, LONGEST_NS = 200000 };

typedef struct {
	MPI_Request request[ON_THE_WAY]; /* MPI_REQUEST_NULL: free */
	char *out[ON_THE_WAY];
	int next;
	char *in; /* [SLICE]: bytes [from, n) */
	int from, n;
} peer;

typedef struct {
	ds_link base;
	peer *peers;
	long nap;
	char doing[DS_SAYING_BYTES];
	int waits_for;
	double since;
} mpi_link;

/* The program's; the library has no memory of its own. */
static void *(*get)(size_t bytes);
static void (*give_back)(void *);

static size_t mpi_put(ds_link *l, int to, const void *at, size_t n)
{
	peer *p = &((mpi_link *)l)->peers[to];
	int k = p->next, done = 1;
	size_t some = n < SLICE ? n : SLICE;
	if (!some)
		return 0;
	if (!p->out[k])
		p->out[k] = get(SLICE);
	if (p->request[k] != MPI_REQUEST_NULL)
		MPI_Test(&p->request[k], &done, MPI_STATUS_IGNORE);
	if (!done)
		return 0;
	memcpy(p->out[k], at, some);
	MPI_Isend(p->out[k], (int)some, MPI_BYTE, to, 0, MPI_COMM_WORLD, &p->request[k]);
	p->next = (k + 1) % ON_THE_WAY;
	((mpi_link *)l)->nap = SHORTEST_NS;
	return some;
}

static size_t mpi_get(ds_link *l, int from, void *at, size_t n)
{
	peer *p = &((mpi_link *)l)->peers[from];
	if (p->from == p->n) {
		int there;
		MPI_Message m;
		MPI_Status s;
		MPI_Improbe(from, 0, MPI_COMM_WORLD, &there, &m, &s);
		if (!there)
			return 0;
		if (!p->in)
			p->in = get(SLICE);
		MPI_Get_count(&s, MPI_BYTE, &p->n);
		MPI_Mrecv(p->in, p->n, MPI_BYTE, &m, MPI_STATUS_IGNORE);
		p->from = 0;
	}
	size_t there = (size_t)(p->n - p->from), some = n < there ? n : there;
	memcpy(at, p->in + p->from, some);
	p->from += (int)some;
	((mpi_link *)l)->nap = SHORTEST_NS;
	return some;
}

static uint32_t mpi_bell(ds_link *l)
{
	return 0;
}

static void mpi_wait(ds_link *l, uint32_t seen)
{
	mpi_link *m = (mpi_link *)l;
	nanosleep(&(struct timespec){ 0, m->nap }, NULL);
	m->nap = 2 * m->nap < LONGEST_NS ? 2 * m->nap : LONGEST_NS;
}

static int mpi_failed(ds_link *l, const char **why)
{
	*why = "";
	return -1;
}

static void mpi_say(ds_link *l, const char *what, int waits_for)
{
	mpi_link *m = (mpi_link *)l;
	strncpy(m->doing, what, DS_SAYING_BYTES - 1);
	m->waits_for = waits_for;
	m->since = MPI_Wtime();
}

/* Of itself alone. */
static bool mpi_saying(
	ds_link *l, int rank, char what[DS_SAYING_BYTES], int *waits_for, double *seconds)
{
	const mpi_link *m = (const mpi_link *)l;
	if (rank != l->rank)
		return false;
	memcpy(what, m->doing, DS_SAYING_BYTES);
	*waits_for = m->waits_for;
	*seconds = MPI_Wtime() - m->since;
	return true;
}

static void mpi_close(ds_link *l)
{
	mpi_link *m = (mpi_link *)l;
	for (int i = 0; i < l->n; i++) {
		peer *p = &m->peers[i];
		MPI_Waitall(ON_THE_WAY, p->request, MPI_STATUSES_IGNORE);
		for (int k = 0; k < ON_THE_WAY; k++)
			give_back(p->out[k]);
		give_back(p->in);
	}
	give_back(m->peers);
	give_back(m);
	MPI_Finalize();
}

static ds_link *mpi_open(void *(*memory)(size_t), void (*back)(void *))
{
	get = memory;
	give_back = back;
	int given, rank, n;
	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS)
		return NULL;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &n);
	mpi_link *m = get(sizeof(*m));
	m->peers = get((size_t)n * sizeof(*m->peers));
	for (int i = 0; i < n; i++)
		for (int k = 0; k < ON_THE_WAY; k++)
			m->peers[i].request[k] = MPI_REQUEST_NULL;
	m->nap = SHORTEST_NS;
	m->base = (ds_link){ .rank = rank,
		.n = n,
		.put = mpi_put,
		.get = mpi_get,
		.bell = mpi_bell,
		.wait = mpi_wait,
		.failed = mpi_failed,
		.say = mpi_say,
		.saying = mpi_saying,
		.close = mpi_close };
	return &m->base;
}

static void mpi_abort(int code)
{
	MPI_Abort(MPI_COMM_WORLD, code);
}

const ds_mpi ds_mpi_table = { .open = mpi_open, .abort = mpi_abort };
