/*
 * lower.cc - from statements to a Program: inlining, variables, operands
 *
 * Device functions are inlined, because a call in PTX passes its arguments in named pieces of memory
 * and none of ours recurses; so there is no stack.
 */
#include "slots.h"
#include "warp.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <unordered_map>

namespace sim
{

namespace
{

const char *const special_names[] = { "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z",
	"%ctaid.x", "%ctaid.y", "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid",
	"%warpid", "%nwarpid", "%smid", "%nsmid", "%gridid", "%lanemask_eq", "%lanemask_lt",
	"%lanemask_le", "%lanemask_gt", "%lanemask_ge", "%dynamic_smem_size", "%total_smem_size",
	"%clock", "%clock64", "%globaltimer", "%clusterid.x" };

struct Symbol {
	Space space;
	uint64_t offset; /* or the address, of global and constant */
};

size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

class Lowering
{
      public:
	Lowering(const Module &m, const Placement &w, Program &p) : module(m), where(w), program(p)
	{
	}
	void run(const Function &kernel);

      private:
	const Module &module;
	const Placement &where;
	Program &program;
	std::vector<Statement> code;
	std::vector<uint8_t> bits; /* of every register */
	std::map<std::string, Symbol> symbols;
	std::map<Special, int> specials; /* to registers */
	std::vector<uint32_t> slot;
	std::map<std::pair<int, uint64_t>, uint32_t> constants;
	std::vector<std::pair<uint32_t, std::pair<int, uint64_t>>> constant_values;
	size_t constant_bytes = 0;
	uint32_t trash = 0;
	std::vector<size_t> first_operand;
	int n_inlined = 0;

	using Names = std::unordered_map<std::string, std::string>;
	void layout_params(const Function &kernel);
	void flatten(const Function &f, Names names, int depth);
	void flatten_call(Statement s, int depth);
	void place(const Variable &v, Names &names);
	void rename(Operand &o, int reg_base, Names &names);
	void place_registers();
	void emit();
	void emit_one(const Statement &s);
	void add_operand(
		const Statement &s, const Operand &o, size_t index, Shape &shape, Ins &ins);
	uint32_t constant(int width, uint64_t value);
	int immediate_bits(const Statement &s, size_t index, size_t n_items) const;
	void set_kind(const Statement &s, Ins &ins) const;
	[[noreturn]] void fail(const Statement &s, const std::string &what) const
	{
		throw Error(program.name + ": PTX line " + std::to_string(s.line) + ": '" + s.text +
			    "': " + what);
	}
};

void Lowering::layout_params(const Function &kernel)
{
	size_t at = 0;
	for (const Variable &p : kernel.params) {
		at = round_up(at, p.align);
		program.params.push_back({ p.name, at, p.bytes });
		symbols[p.name] = { Space::param, at };
		at += p.bytes;
	}
	program.param_bytes = at;
}

/* Shared variables exist once, local ones and a call's arguments once an inlined copy. */
void Lowering::place(const Variable &v, Names &names)
{
	if (v.space == Space::shared) {
		if (symbols.count(v.name))
			return;
		program.shared_bytes =
			round_up(program.shared_bytes, std::max<size_t>(v.align, 16));
		symbols[v.name] = { Space::shared, program.shared_bytes };
		program.shared_bytes += v.bytes;
		return;
	}
	std::string unique =
		v.name + "#" + std::to_string(n_inlined) + "." + std::to_string(symbols.size());
	program.local_bytes = round_up(program.local_bytes, std::max<size_t>(v.align, 8));
	symbols[unique] = { Space::local, program.local_bytes };
	program.local_bytes += v.bytes;
	names[v.name] = unique;
}

void Lowering::rename(Operand &o, int reg_base, Names &names)
{
	if (o.kind == Operand::reg)
		o.id += reg_base;
	if (o.kind == Operand::symbol) {
		auto found = names.find(o.name);
		auto shared = where.shared.find(o.name);
		if (found != names.end())
			o.name = found->second;
		else if (shared != where.shared.end() && shared->second.bytes)
			place(shared->second, names);
	}
	for (Operand &item : o.items)
		rename(item, reg_base, names);
	if (o.kind != Operand::special)
		return;
	for (int n = 0; n < (int)Special::count; n++) {
		if (o.name != special_names[n])
			continue;
		auto [it, is_new] = specials.try_emplace((Special)n, (int)bits.size());
		if (is_new)
			bits.push_back(n == (int)Special::clock64 || n == (int)Special::globaltimer
					       ? 64
					       : 32);
		o.kind = Operand::reg;
		o.id = it->second;
	}
}

void Lowering::flatten(const Function &f, Names names, int depth)
{
	if (depth > 16)
		throw Error(program.name + ": " + f.name +
			    " calls itself, which the simulator does not follow");
	n_inlined++;
	int reg_base = (int)bits.size();
	bits.insert(bits.end(), f.reg_bits.begin(), f.reg_bits.end());
	for (const Variable &v : f.locals)
		place(v, names);
	std::vector<int> start(f.body.size() + 1);
	std::vector<size_t> branches;
	for (size_t n = 0; n < f.body.size(); n++) {
		start[n] = (int)code.size();
		Statement s = f.body[n];
		if (s.guard >= 0)
			s.guard += reg_base;
		for (Operand &o : s.args)
			rename(o, reg_base, names);
		if (s.op == "call") {
			flatten_call(std::move(s), depth);
			continue;
		}
		if (s.op == "ret" && depth > 0) {
			s.op = "bra";
			s.target = (int)f.body.size();
		}
		if (s.op == "bra")
			branches.push_back(code.size());
		code.push_back(std::move(s));
	}
	start[f.body.size()] = (int)code.size();
	for (size_t n : branches)
		code[n].target = start[(size_t)code[n].target];
}

void Lowering::flatten_call(Statement s, int depth)
{
	size_t n = 0;
	std::vector<Operand> results, args;
	if (s.args.size() > n && s.args[n].kind == Operand::list)
		results = s.args[n++].items;
	if (s.args.size() <= n || s.args[n].kind != Operand::symbol)
		fail(s, "calls through a pointer are not simulated");
	std::string callee = s.args[n++].name;
	if (s.args.size() > n && s.args[n].kind == Operand::list)
		args = s.args[n].items;
	auto found = module.functions.find(callee);
	if (callee == "vprintf" || callee == "__assertfail") {
		s.op = callee == "vprintf" ? "vprintf" : "assertfail";
		s.args = args;
		s.mods.clear();
		code.push_back(std::move(s));
		return;
	}
	if (found == module.functions.end() || !found->second.has_body)
		fail(s, "there is no " + callee);
	size_t around = code.size();
	if (s.guard >= 0) {
		Statement skip = s;
		skip.op = "bra";
		skip.args.clear();
		skip.guard_negated = !s.guard_negated;
		code.push_back(skip);
	}
	Names inner;
	const Function &f = found->second;
	for (size_t k = 0; k < f.params.size() && k < args.size(); k++)
		inner[f.params[k].name] = args[k].name;
	for (size_t k = 0; k < f.returns.size() && k < results.size(); k++)
		inner[f.returns[k].name] = results[k].name;
	flatten(f, inner, depth + 1);
	if (s.guard >= 0)
		code[around].target = (int)code.size();
}

void Lowering::place_registers()
{
	std::vector<int> whole;
	for (auto &s : specials)
		whole.push_back(s.second);
	Slots slots = assign_slots(code, bits, whole);
	slot = slots.of;
	trash = (uint32_t)round_up(slots.bytes, 64);
	program.register_bytes = trash + 512;
	for (auto &s : specials)
		program.specials.push_back({ s.first, slot[(size_t)s.second] });
}

uint32_t Lowering::constant(int width, uint64_t value)
{
	auto [it, is_new] = constants.try_emplace({ width, value }, (uint32_t)constant_bytes);
	if (is_new) {
		constant_values.push_back({ it->second, it->first });
		constant_bytes += (size_t)(width == 1 ? 64 : std::max(64, width * 4));
	}
	return it->second | 1;
}

int Lowering::immediate_bits(const Statement &s, size_t index, size_t n_items) const
{
	std::vector<int> types;
	for (const std::string &m : s.mods)
		if (type_bits(m))
			types.push_back(type_bits(m));
	static const std::set<std::string> words = { "shfl", "bar", "barrier", "cp", "prmt", "vote",
		"match", "redux", "nanosleep", "lop3", "shf" };
	if (types.empty() || words.count(s.op))
		return 32;
	if ((s.op == "cvt" || s.op == "set") && types.size() > 1)
		return std::max(16, types[1]);
	if ((s.op == "mad" || s.op == "mul") && s.has("wide") && index == 3)
		return types[0] * 2;
	if ((s.op == "shl" || s.op == "shr") && index == 2)
		return 32;
	if ((s.op == "bfe" && index >= 2) || (s.op == "bfi" && index >= 3))
		return 32;
	if (s.op == "mov" && n_items > 1)
		return types[0] / (int)n_items;
	if ((s.op == "setp" && index >= s.args.size() - 1 &&
		    (s.has("and") || s.has("or") || s.has("xor"))) ||
		(s.op == "selp" && index == 3))
		return 1;
	return types[0] == 8 ? 16 : types[0];
}

void Lowering::add_operand(
	const Statement &s, const Operand &o, size_t index, Shape &shape, Ins &ins)
{
	auto put = [&](uint32_t offset, int width) {
		program.operands.push_back(offset);
		shape.bits.push_back((uint8_t)width);
	};
	switch (o.kind) {
	case Operand::none:
		put(trash, 0);
		break;
	case Operand::reg:
		put(slot[(size_t)o.id], bits[(size_t)o.id]);
		break;
	case Operand::number: {
		int width = immediate_bits(s, index, 1);
		uint64_t v = width == 1   ? (o.value ? all_lanes : 0)
			     : width < 64 ? o.value & ((1ull << width) - 1)
					  : o.value;
		put(constant(width, v), width);
		break;
	}
	case Operand::symbol: {
		int width = s.op == "mov" || s.op == "cvta" || s.op == "add"
				    ? immediate_bits(s, index, 1)
				    : 64;
		uint64_t value;
		auto mine = symbols.find(o.name);
		auto global = where.address.find(o.name);
		if (o.name == "WARP_SZ")
			value = n_lanes;
		else if (mine != symbols.end())
			value = mine->second.offset;
		else if (global != where.address.end())
			value = global->second;
		else
			fail(s, "there is no " + o.name);
		if (s.op == "mov" && mine != symbols.end() && mine->second.space == Space::param)
			value += param_window;
		put(constant(width, value + (uint64_t)o.offset), width);
		break;
	}
	case Operand::address: {
		bool first = true;
		for (size_t before = 0; before < index; before++)
			first &= s.args[before].kind != Operand::address;
		ins.imm[first ? 0 : 1] = o.offset;
		const Operand &base = o.items[0];
		if (base.kind == Operand::number) {
			put(constant(64, base.value), 64);
			break;
		}
		add_operand(s, base, index, shape, ins);
		if (first && base.kind == Operand::reg)
			ins.narrow_address = bits[(size_t)base.id] == 32;
		auto mine = symbols.find(base.name);
		if (base.kind == Operand::symbol && mine != symbols.end() &&
			ins.space != Space::shared)
			ins.space = mine->second.space; /* a call's arguments are local memory */
		break;
	}
	case Operand::list:
		for (const Operand &item : o.items) {
			if (item.kind == Operand::number) {
				int width = immediate_bits(s, index, o.items.size());
				put(constant(width, width < 64 ? item.value & ((1ull << width) - 1)
							       : item.value),
					width);
			} else {
				add_operand(s, item, index, shape, ins);
			}
		}
		break;
	default:
		fail(s, "unknown operand " + o.name);
	}
}

void Lowering::set_kind(const Statement &s, Ins &ins) const
{
	ins.is_fence = (s.op == "membar" && !s.has("cta")) || (s.op == "fence" && !s.has("cta"));
	if (s.op == "bra") {
		ins.kind = Kind::branch;
		ins.target = s.target;
	} else if (s.op == "ret" || s.op == "exit") {
		ins.kind = Kind::leave;
	} else if ((s.op == "bar" || s.op == "barrier") && !s.has("warp")) {
		ins.kind = s.has("arrive") ? Kind::arrive : Kind::barrier;
		ins.sub = !s.has("red") ? 0 : s.has("popc") ? 1 : s.has("and") ? 2 : 3;
		ins.vec = (uint8_t)s.args.size();
	} else if (s.op == "bar") {
		ins.kind = Kind::gather;
		ins.mask = 0;
	} else if (s.op == "mma" || s.op == "ldmatrix" || s.op == "stmatrix" ||
		   s.op == "movmatrix") {
		ins.kind = Kind::gather;
	} else if (s.op == "shfl" || s.op == "vote" || s.op == "match" || s.op == "redux") {
		ins.kind = Kind::gather;
		ins.mask = (uint8_t)(s.args.size() - 1);
	}
}

void Lowering::emit_one(const Statement &s)
{
	Ins ins;
	Shape shape{ &s, {}, {} };
	for (const std::string &m : s.mods)
		if (type_bits(m) || m == "e4m3" || m == "e5m2")
			shape.types.push_back(m);
	static const std::pair<const char *, Space> spaces[] = { { "global", Space::global },
		{ "shared", Space::shared }, { "local", Space::local }, { "param", Space::param },
		{ "const", Space::constant }, { "shared::cta", Space::shared } };
	for (auto &known : spaces)
		if (s.has(known.first))
			ins.space = known.second;
	set_kind(s, ins);
	if (s.guard >= 0) {
		ins.guarded = s.guard_negated ? Ins::when_false : Ins::when_true;
		ins.guard = slot[(size_t)s.guard];
	}
	first_operand.push_back(program.operands.size());
	if (ins.kind != Kind::branch)
		for (size_t n = 0; n < s.args.size(); n++)
			add_operand(s, s.args[n], n, shape, ins);
	bool flow = ins.kind == Kind::branch || ins.kind == Kind::leave ||
		    ins.kind == Kind::barrier || ins.kind == Kind::arrive;
	if (!flow && !pick(shape, ins))
		fail(s, "this instruction is not simulated");
	program.code.push_back(ins);
	program.texts.push_back(s.text);
	program.lines.push_back(s.line);
}

void Lowering::emit()
{
	for (const Statement &s : code)
		emit_one(s);
	Ins end; /* a branch to the end, or a body without ret */
	end.kind = Kind::leave;
	program.code.push_back(end);
	program.texts.push_back("ret");
	program.lines.push_back(0);
	first_operand.push_back(program.operands.size());
	for (size_t n = 0; n < program.code.size(); n++)
		program.code[n].o = program.operands.data() + first_operand[n];
	program.constants_storage.resize(constant_bytes + 64);
	program.constants = (char *)round_up((size_t)program.constants_storage.data(), 64);
	for (auto &[offset, what] : constant_values) {
		int bytes = what.first == 1 ? 4 : what.first / 8;
		for (int l = 0; l < n_lanes && (what.first != 1 || l < 1); l++)
			memcpy(program.constants + offset + (size_t)(l * bytes), &what.second,
				(size_t)std::min(bytes, 8));
	}
}

void Lowering::run(const Function &kernel)
{
	program.name = kernel.name;
	program.max_threads = kernel.max_threads;
	layout_params(kernel);
	flatten(kernel, {}, 0);
	program.shared_bytes = round_up(program.shared_bytes, 16);
	for (auto &v : where.shared)
		if (!v.second.bytes)
			symbols[v.first] = { Space::shared, program.shared_bytes };
	place_registers();
	emit();
}

} // namespace

std::unique_ptr<Program> lower(const Module &m, const Function &kernel, const Placement &where)
{
	auto p = std::make_unique<Program>();
	Lowering(m, where, *p).run(kernel);
	return p;
}

} // namespace sim
