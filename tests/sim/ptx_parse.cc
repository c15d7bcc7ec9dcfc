/*
 * ptx_parse.cc - reads PTX: words, declarations, statements
 *
 * One pass over words. Registers are found by name through the braces around them, since inline
 * assembly declares its own; labels are looked up when a function is complete, because branches go
 * forward. A statement keeps its words, so that messages show what nvcc wrote.
 */
#include "ptx.h"

#include <cstdlib>
#include <cstring>
#include <unordered_map>

namespace sim
{

bool Statement::has(std::string_view mod) const
{
	for (const std::string &m : mods)
		if (m == mod)
			return true;
	return false;
}

int type_bits(std::string_view name)
{
	static const std::unordered_map<std::string_view, int> bits = {
		{ "pred", 1 },
		{ "b8", 8 },
		{ "u8", 8 },
		{ "s8", 8 },
		{ "b16", 16 },
		{ "u16", 16 },
		{ "s16", 16 },
		{ "f16", 16 },
		{ "bf16", 16 },
		{ "e4m3x2", 16 },
		{ "e5m2x2", 16 },
		{ "b32", 32 },
		{ "u32", 32 },
		{ "s32", 32 },
		{ "f32", 32 },
		{ "tf32", 32 },
		{ "f16x2", 32 },
		{ "bf16x2", 32 },
		{ "b64", 64 },
		{ "u64", 64 },
		{ "s64", 64 },
		{ "f64", 64 },
		{ "b128", 128 },
	};
	auto found = bits.find(name);
	return found == bits.end() ? 0 : found->second;
}

namespace
{

struct Word {
	std::string_view text;
	int line;
};

std::vector<Word> words_of(std::string_view s)
{
	std::vector<Word> out;
	int line = 1;
	auto is_name = [](char c) { return isalnum((unsigned char)c) || strchr("_$%.", c); };
	for (size_t i = 0; i < s.size();) {
		char c = s[i];
		if (c == '\n')
			line++;
		if (isspace((unsigned char)c)) {
			i++;
		} else if (s.substr(i, 2) == "//") {
			while (i < s.size() && s[i] != '\n')
				i++;
		} else if (s.substr(i, 2) == "/*") {
			size_t end = s.find("*/", i + 2);
			if (end == s.npos)
				break;
			for (; i < end + 2; i++)
				line += s[i] == '\n';
		} else {
			size_t start = i++;
			if (c == '"') {
				while (i < s.size() && s[i] != '"')
					i++;
				i++;
			} else if (is_name(c) && c != 0) {
				while (i < s.size() && s[i] &&
					(is_name(s[i]) || (s[i] == ':' && s.substr(i, 2) == "::" &&
								  (i += 1))))
					i++;
			}
			if (c)
				out.push_back({ s.substr(start, i - start), line });
		}
	}
	return out;
}

struct Range { /* .reg .b32 %r<98>: %r0 to %r97 */
	std::string prefix;
	int bits, count;
};

struct Scope {
	int parent;
	std::unordered_map<std::string, int> regs;
	std::vector<Range> ranges;
	std::unordered_map<std::string, int> labels; /* to a statement's number */
};

class Parser
{
      public:
	explicit Parser(std::string_view text) : words(words_of(text))
	{
	}
	Module module();

      private:
	std::vector<Word> words;
	size_t at = 0;
	Module mod;
	Function *fn = nullptr;
	std::vector<Scope> scopes;
	int scope = 0;

	std::string_view peek(size_t ahead = 0) const
	{
		return at + ahead < words.size() ? words[at + ahead].text : std::string_view();
	}
	std::string_view next()
	{
		if (at >= words.size())
			fail("the text ends early");
		return words[at++].text;
	}
	bool accept(std::string_view w)
	{
		if (peek() != w)
			return false;
		at++;
		return true;
	}
	void expect(std::string_view w)
	{
		if (!accept(w))
			fail("'" + std::string(w) + "' is missing before '" + std::string(peek()) +
				"'");
	}
	[[noreturn]] void fail(const std::string &what) const
	{
		int line = at < words.size() ? words[at].line
			   : words.empty()   ? 0
					     : words.back().line;
		throw Error("PTX line " + std::to_string(line) + ": " + what);
	}

	uint64_t number(std::string_view w, bool *is_float = nullptr);
	Variable variable(Space space);
	void initializer(Variable &v, size_t element);
	std::vector<Variable> parameters();
	void function(bool entry);
	void body();
	void registers();
	void statement();
	Operand operand();
	Operand address();
	int find_register(const std::string &name);
	void finish_labels();
	void skip_statement();
};

uint64_t Parser::number(std::string_view w, bool *is_float)
{
	std::string s(w);
	if (s.size() > 2 && s[0] == '0' && strchr("fFdD", s[1])) {
		if (is_float)
			*is_float = true;
		return strtoull(s.c_str() + 2, nullptr, 16);
	}
	if (s.back() == 'U')
		s.pop_back();
	char *end;
	uint64_t v = strtoull(s.c_str(), &end, 0);
	if (*end)
		fail("'" + s + "' is no number");
	return v;
}

bool is_number(std::string_view w)
{
	return !w.empty() && isdigit((unsigned char)w[0]);
}

/* After the space's word: .align N .b8 name[SIZE] = { ... } */
Variable Parser::variable(Space space)
{
	Variable v;
	v.space = space;
	size_t element = 0, vec = 1;
	for (;;) {
		std::string_view w = next();
		if (w == ".align") {
			v.align = number(next());
		} else if (w == ".v2" || w == ".v4") {
			vec = (size_t)(w[2] - '0');
		} else if (w[0] == '.' && type_bits(w.substr(1))) {
			element = (size_t)(type_bits(w.substr(1)) + 7) / 8;
		} else if (w[0] == '.') {
			if (w == ".ptr")
				while (peek()[0] == '.' && peek() != ".align")
					next();
		} else {
			v.name = std::string(w);
			break;
		}
	}
	size_t count = vec;
	while (accept("[")) {
		if (accept("]")) {
			count = 0;
			v.is_extern = true; /* the size is the launch's */
			break;
		}
		count *= number(next());
		expect("]");
	}
	v.bytes = element * count;
	v.align = std::max(v.align, element);
	if (accept("="))
		initializer(v, element);
	return v;
}

void Parser::initializer(Variable &v, size_t element)
{
	v.init.assign(v.bytes, 0);
	size_t offset = 0;
	int depth = 0;
	do {
		if (accept("{")) {
			depth++;
			continue;
		}
		if (accept("}")) {
			depth--;
			continue;
		}
		if (accept(","))
			continue;
		bool minus = accept("-");
		std::string_view w = next();
		if (is_number(w)) {
			uint64_t bits = number(w);
			if (minus)
				bits = 0 - bits;
			if (offset + element > v.init.size())
				fail("too many values for " + v.name);
			memcpy(v.init.data() + offset, &bits, element);
		} else {
			std::string name(w);
			if (name == "generic") {
				expect("(");
				name = std::string(next());
				expect(")");
			}
			v.references.push_back({ offset, name });
			if (accept("+"))
				v.addends[offset] = (int64_t)number(next());
		}
		offset += element;
	} while (depth > 0);
}

std::vector<Variable> Parser::parameters()
{
	std::vector<Variable> out;
	expect("(");
	while (!accept(")")) {
		if (accept(","))
			continue;
		if (!accept(".param") && !accept(".reg"))
			fail("a parameter is missing");
		out.push_back(variable(Space::param));
	}
	return out;
}

void Parser::function(bool entry)
{
	Function f;
	f.is_entry = entry;
	if (peek() == "(")
		f.returns = parameters();
	f.name = std::string(next());
	if (peek() == "(")
		f.params = parameters();
	while (peek() != "{" && peek() != ";") {
		std::string_view w = next();
		if (w == ".maxntid")
			for (f.max_threads = (unsigned)number(next()); accept(",");)
				f.max_threads *= (unsigned)number(next());
	}
	if (accept(";")) {
		mod.functions.emplace(f.name, std::move(f));
		return;
	}
	f.has_body = true;
	fn = &(mod.functions[f.name] = std::move(f));
	scopes.clear();
	body();
	finish_labels();
	fn = nullptr;
}

void Parser::body()
{
	expect("{");
	int outer = scope;
	scopes.push_back({ scopes.empty() ? -1 : outer, {}, {}, {} });
	scope = (int)scopes.size() - 1;
	while (!accept("}")) {
		std::string_view w = peek();
		if (w == "{") {
			body();
		} else if (w == ".reg") {
			next();
			registers();
		} else if (w == ".local" || w == ".shared" || w == ".param") {
			next();
			Variable v = variable(w == ".local"    ? Space::local
					      : w == ".shared" ? Space::shared
							       : Space::param);
			expect(";");
			fn->locals.push_back(std::move(v));
		} else if (w[0] == '.' && w != ".") {
			skip_statement(); /* .loc, .pragma, .branchtargets */
		} else if (peek(1) == ":") {
			scopes[(size_t)scope].labels[std::string(next())] = (int)fn->body.size();
			next();
		} else if (w == ";") {
			next();
		} else {
			statement();
		}
	}
	scope = outer;
}

void Parser::skip_statement()
{
	bool by_line = peek() == ".loc" || peek() == ".file";
	int line = words[at].line;
	if (by_line)
		while (at < words.size() && words[at].line == line)
			at++;
	else
		while (next() != ";") {
		}
}

void Parser::registers()
{
	int bits = type_bits(next().substr(1));
	if (!bits)
		fail("a register of an unknown type");
	do {
		std::string name(next());
		if (accept("<")) {
			scopes[(size_t)scope].ranges.push_back({ name, bits, (int)number(next()) });
			expect(">");
		} else {
			scopes[(size_t)scope].regs[name] = (int)fn->reg_bits.size();
			fn->reg_bits.push_back((uint8_t)bits);
			fn->reg_names.push_back(name);
		}
	} while (accept(","));
	expect(";");
}

int Parser::find_register(const std::string &name)
{
	size_t digits = name.size();
	while (digits > 0 && isdigit((unsigned char)name[digits - 1]))
		digits--;
	for (int s = scope; s >= 0; s = scopes[(size_t)s].parent) {
		Scope &here = scopes[(size_t)s];
		auto found = here.regs.find(name);
		if (found != here.regs.end())
			return found->second;
		for (const Range &r : here.ranges) {
			if (digits == name.size() || name.compare(0, digits, r.prefix) ||
				atoi(name.c_str() + digits) >= r.count)
				continue;
			int id = (int)fn->reg_bits.size();
			here.regs[name] = id;
			fn->reg_bits.push_back((uint8_t)r.bits);
			fn->reg_names.push_back(name);
			return id;
		}
	}
	return -1;
}

Operand Parser::address()
{
	Operand a;
	a.kind = Operand::address;
	a.items.push_back(operand());
	a.offset = a.items[0].offset;
	a.items[0].offset = 0;
	expect("]");
	return a;
}

Operand Parser::operand()
{
	Operand o;
	if (accept("["))
		return address();
	if (accept("{") || accept("(")) {
		o.kind = Operand::list;
		while (!accept("}") && !accept(")"))
			if (!accept(","))
				o.items.push_back(operand());
		return o;
	}
	o.negated = accept("!");
	bool minus = accept("-");
	std::string name(next());
	if (is_number(name)) {
		o.kind = Operand::number;
		o.value = number(name, &o.is_float);
		if (minus)
			o.value = 0 - o.value;
		return o;
	}
	o.id = find_register(name);
	o.kind = o.id >= 0 ? Operand::reg : name[0] == '%' ? Operand::special : Operand::symbol;
	o.name = name;
	if (accept("+"))
		o.offset = accept("-") ? -(int64_t)number(next()) : (int64_t)number(next());
	else if (accept("-"))
		o.offset = -(int64_t)number(next());
	return o;
}

void Parser::statement()
{
	Statement s;
	s.line = words[at].line;
	s.scope = scope;
	size_t first = at;
	if (accept("@")) {
		s.guard_negated = accept("!");
		s.guard = find_register(std::string(next()));
		if (s.guard < 0)
			fail("an unknown guard");
	}
	std::string_view op = next();
	size_t dot = op.find('.');
	s.op = std::string(op.substr(0, dot));
	while (dot != op.npos) {
		size_t end = op.find('.', dot + 1);
		s.mods.emplace_back(op.substr(dot + 1, end == op.npos ? end : end - dot - 1));
		dot = end;
	}
	while (!accept(";")) {
		if (accept(",") || accept("|"))
			continue;
		if (peek() == "_") { /* a result that nobody wants */
			next();
			s.args.emplace_back();
			continue;
		}
		s.args.push_back(operand());
	}
	const char *end = words[at - 2].text.data() + words[at - 2].text.size();
	for (const char *c = words[first].text.data(); c < end; c++)
		if (!isspace((unsigned char)*c))
			s.text += *c;
		else if (s.text.back() != ' ')
			s.text += ' ';
	fn->body.push_back(std::move(s));
}

void Parser::finish_labels()
{
	for (Statement &s : fn->body) {
		if (s.op != "bra")
			continue;
		for (int n = s.scope; n >= 0 && s.target < 0; n = scopes[(size_t)n].parent) {
			auto found = scopes[(size_t)n].labels.find(s.args[0].name);
			if (found != scopes[(size_t)n].labels.end())
				s.target = found->second;
		}
		if (s.target < 0)
			throw Error("PTX line " + std::to_string(s.line) + ": no label " +
				    s.args[0].name);
	}
}

Module Parser::module()
{
	while (at < words.size()) {
		std::string_view w = next();
		bool is_extern = false;
		while (w == ".visible" || w == ".extern" || w == ".weak" || w == ".common") {
			is_extern |= w == ".extern";
			w = next();
		}
		if (w == ".version") {
			next();
		} else if (w == ".target") {
			std::string_view arch = next();
			mod.target = atoi(std::string(arch.substr(3)).c_str());
			while (accept(","))
				next();
		} else if (w == ".address_size") {
			next();
		} else if (w == ".entry" || w == ".func") {
			function(w == ".entry");
		} else if (w == ".global" || w == ".const" || w == ".shared") {
			Variable v = variable(w == ".global"  ? Space::global
					      : w == ".const" ? Space::constant
							      : Space::shared);
			v.is_extern |= is_extern;
			expect(";");
			mod.variables.push_back(std::move(v));
		} else if (w == ".section") {
			while (next() != "}") {
			}
		} else {
			at--;
			skip_statement();
		}
	}
	return std::move(mod);
}

} // namespace

Module parse_module(std::string_view text)
{
	return Parser(text).module();
}

} // namespace sim
