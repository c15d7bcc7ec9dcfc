/*
 * ptx.h - PTX text as statements
 *
 * parse_module reads what nvcc wrote into functions, variables and statements whose names are
 * resolved: a register is a number, a branch knows the statement it goes to. Nothing here knows what
 * an instruction does; lower.cc turns a function into a Program, and exec_*.cc run it. What cannot be
 * read throws an Error that names the line.
 */
#ifndef DS_SIM_PTX_H
#define DS_SIM_PTX_H

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sim
{

struct Error : std::runtime_error {
	using std::runtime_error::runtime_error;
};

enum class Space : uint8_t { generic, global, shared, local, param, constant };

struct Operand {
	enum Kind : uint8_t { none, reg, number, symbol, special, address, list };
	Kind kind = none;
	bool negated = false;       /* !%p */
	int id = -1;                /* the register's number */
	uint64_t value = 0;         /* a number; bits of the float for 0f and 0d */
	bool is_float = false;      /* value came from 0f (32 bits) or 0d (64 bits) */
	int64_t offset = 0;         /* address and symbol */
	std::string name;           /* symbol, special register, label or function */
	std::vector<Operand> items; /* list: its members; address: the base alone */
};

struct Statement {
	std::string op;                /* "ld", the first word */
	std::vector<std::string> mods; /* "global", "v4", "f32" */
	std::vector<Operand> args;
	int guard = -1; /* predicate register, or none */
	bool guard_negated = false;
	int target = -1; /* of a branch: a statement of the same function */
	int scope = 0;
	std::string text; /* as written, for messages */
	int line = 0;

	bool has(std::string_view mod) const;
};

struct Variable {
	std::string name;
	Space space = Space::global;
	size_t align = 1, bytes = 0;
	bool is_extern = false;
	std::vector<uint8_t> init;                              /* empty: zeros */
	std::vector<std::pair<size_t, std::string>> references; /* addresses of other variables */
	std::map<size_t, int64_t> addends;
};

struct Function {
	std::string name;
	bool is_entry = false, has_body = false;
	unsigned max_threads = 0; /* .maxntid */
	std::vector<Variable> params, returns,
		locals;                /* locals: .local, .shared and .param inside */
	std::vector<uint8_t> reg_bits; /* 1 for a predicate */
	std::vector<std::string> reg_names;
	std::vector<Statement> body;
};

struct Module {
	int target = 0; /* 80 for sm_80 */
	std::map<std::string, Function> functions;
	std::vector<Variable> variables;
};

Module parse_module(std::string_view text);

/* Bits of a type's name ("f32", "bf16x2", "pred"), 0 where the word is no type. */
int type_bits(std::string_view name);

} // namespace sim

#endif
