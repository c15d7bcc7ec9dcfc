/*
 * test_chat.c - conversations in their families' layouts, and templates in Jinja
 *
 * What is expected of a layout was made by transformers' apply_chat_template with the template that the family published.
 */
#include "test.h"

#include "text/chat/jinja.h"
#include "text/chat/layout.h"

#include <stdio.h>

typedef struct {
	ds_arena *mem;
	ds_chat_turns turns;
} talk;

static ds_rc read_turns(talk *t, const char *json, ds_err *e)
{
	const ds_json *list;
	t->mem = ds_arena_new(1 << 16);
	assert_int_equal(ds_json_parse(&list, t->mem, ds_str_of(json), e), DS_OK);
	return ds_chat_read(&t->turns, list, t->mem, e);
}

static ds_str all(const ds_chat_runs *runs, bool targets, ds_arena *mem)
{
	ds_buf b = { 0 };
	for (size_t i = 0; i < runs->n; i++)
		if (!targets || runs->at[i].target)
			ds_buf_add_str(&b, runs->at[i].text);
	ds_str s = ds_arena_str(mem, ds_buf_view(&b));
	ds_buf_free(&b);
	return s;
}

static ds_rc render(const char *layout, talk *t, ds_chat_how how, ds_chat_runs *runs, ds_err *e)
{
	const ds_chat_layout *l;
	assert_int_equal(ds_chat_find(&l, layout, e), DS_OK);
	return ds_chat_render(l, &t->turns, &how, t->mem, runs, e);
}

#define SYSTEM "{\"role\":\"system\",\"content\":\"Be brief.\"},"
#define FIRST \
	"{\"role\":\"user\",\"content\":\" Hi\\n\"},{\"role\":\"assistant\",\"content\":\"Hello " \
	"there \"}," \
	"{\"role\":\"user\",\"content\":\"Bye\"}]"
#define SECOND \
	"[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Hello\"}]"

static const struct {
	const char *layout, *bos, *eos;
	int which; /* 0: a conversation that is to be answered, 1: one that ends */
	bool no_system;
	const char *want;
} published[] = {
	/* clang-format off */
	{ "chatml", "", "", 0, false,
		"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>"
		"\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>"
		"\n<|im_start|>assistant\n" },
	{ "chatml", "", "", 1, false,
		"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n" },
	{ "qwen2", "", "", 0, false,
		"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>"
		"\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>"
		"\n<|im_start|>assistant\n" },
	{ "qwen2", "", "", 1, false,
		"<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>"
		"user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n" },
	{ "qwen2.5", "", "", 0, false,
		"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>"
		"\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>"
		"\n<|im_start|>assistant\n" },
	{ "qwen2.5", "", "", 1, false,
		"<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
		"assistant.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
		"Hello<|im_end|>\n" },
	{ "qwen3", "", "", 0, false,
		"<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>"
		"\n<|im_start|>assistant\nHello there <|im_end|>\n<|im_start|>user\nBye<|im_end|>"
		"\n<|im_start|>assistant\n" },
	{ "qwen3", "", "", 1, false,
		"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>"
		"\n\nHello<|im_end|>\n" },
	{ "phi4", "", "", 0, false,
		"<|im_start|>system<|im_sep|>Be brief.<|im_end|><|im_start|>user<|im_sep|>"
		" Hi\n<|im_end|><|im_start|>assistant<|im_sep|>Hello there <|im_end|><|im_start|>"
		"user<|im_sep|>Bye<|im_end|><|im_start|>assistant<|im_sep|>" },
	{ "phi4", "", "", 1, false,
		"<|im_start|>user<|im_sep|>Hi<|im_end|><|im_start|>assistant<|im_sep|>Hello<|im_end|>" },
	{ "phi3", "<s>", "</s>", 0, false,
		"<|system|>\nBe brief.<|end|>\n<|user|>\n Hi\n<|end|>\n<|assistant|>\nHello "
		"there <|end|>\n<|user|>\nBye<|end|>\n<|assistant|>\n" },
	{ "phi3", "<s>", "</s>", 1, false,
		"<|user|>\nHi<|end|>\n<|assistant|>\nHello<|end|>\n</s>" },
	{ "llama2", "<s>", "</s>", 0, false,
		"<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi [/INST] Hello there </s><s>"
		"[INST] Bye [/INST]" },
	{ "llama2", "<s>", "</s>", 1, false,
		"<s>[INST] Hi [/INST] Hello </s>" },
	{ "llama3", "<|begin_of_text|>", "", 0, false,
		"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
		"<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>"
		"assistant<|end_header_id|>\n\nHello there<|eot_id|><|start_header_id|>user<|end_header_id|>"
		"\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n" },
	{ "llama3", "<|begin_of_text|>", "", 1, false,
		"<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
		"<|start_header_id|>assistant<|end_header_id|>\n\nHello<|eot_id|>" },
	{ "llama3.1", "<|begin_of_text|>", "", 0, false,
		"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting "
		"Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
		"<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>"
		"assistant<|end_header_id|>\n\nHello there<|eot_id|><|start_header_id|>user<|end_header_id|>"
		"\n\nBye<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n" },
	{ "llama3.1", "<|begin_of_text|>", "", 1, false,
		"<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting "
		"Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>"
		"user<|end_header_id|>\n\nHi<|eot_id|><|start_header_id|>assistant<|end_header_id|>"
		"\n\nHello<|eot_id|>" },
	{ "mistral-v0.1", "<s>", "</s>", 0, true,
		"<s>[INST]  Hi\n [/INST]Hello there </s> [INST] Bye [/INST]" },
	{ "mistral-v0.1", "<s>", "</s>", 1, false,
		"<s>[INST] Hi [/INST]Hello</s> " },
	{ "mistral", "<s>", "</s>", 0, true,
		"<s>[INST]  Hi\n [/INST]Hello there </s>[INST] Bye [/INST]" },
	{ "mistral", "<s>", "</s>", 1, false,
		"<s>[INST] Hi [/INST]Hello</s>" },
	{ "mistral-tekken", "<s>", "</s>", 0, false,
		"<s>[INST] Hi\n[/INST]Hello there </s>[INST]Be brief.\n\nBye[/INST]" },
	{ "mistral-tekken", "<s>", "</s>", 1, false,
		"<s>[INST]Hi[/INST]Hello</s>" },
	{ "gemma", "<s>", "</s>", 0, false,
		"<s><start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n<start_of_turn>model\n"
		"Hello there<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>"
		"model\n" },
	{ "gemma", "<s>", "</s>", 1, false,
		"<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello<end_of_turn>"
		"\n" },
	{ "deepseek", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", 0, false,
		"<｜begin▁of▁sentence｜>Be brief.<｜User｜> Hi\n<｜Assistant｜>Hello there <｜end▁of▁sentence｜>"
		"<｜User｜>Bye<｜Assistant｜>" },
	{ "deepseek", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", 1, false,
		"<｜begin▁of▁sentence｜><｜User｜>Hi<｜Assistant｜>Hello<｜end▁of▁sentence｜>" },
	{ "deepseek-llm", "<s>", "</s>", 0, false,
		"<s>Be brief.\n\nUser:  Hi\n\n\nAssistant: Hello there </s>User: Bye\n\nAssistant:" },
	{ "deepseek-llm", "<s>", "</s>", 1, false,
		"<s>User: Hi\n\nAssistant: Hello</s>" },
	{ "deepseek-coder", "<s>", "</s>", 0, false,
		"<s>Be brief.### Instruction:\n Hi\n\n### Response:\nHello there \n<|EOT|>"
		"\n### Instruction:\nBye\n### Response:\n" },
	{ "deepseek-coder", "<s>", "</s>", 1, false,
		"<s>You are an AI programming assistant, utilizing the Deepseek Coder model, "
		"developed by Deepseek Company, and you only answer questions related to "
		"computer science. For politically sensitive questions, security and privacy "
		"issues, and other non-computer science questions, you will refuse to answer\n"
		"### Instruction:\nHi\n### Response:\nHello\n<|EOT|>\n" },
	{ "alpaca", "<s>", "</s>", 0, false,
		"<s>Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello there</s>\n"
		"\n### Instruction:\nBye\n\n### Response:\n" },
	{ "alpaca", "<s>", "</s>", 1, false,
		"<s>### Instruction:\nHi\n\n### Response:\nHello</s>\n\n" },
	{ "vicuna", "<s>", "</s>", 0, false,
		"<s>Be brief.\n\nUSER: Hi\nASSISTANT: Hello there</s>\nUSER: Bye\nASSISTANT:" },
	{ "vicuna", "<s>", "</s>", 1, false,
		"<s>USER: Hi\nASSISTANT: Hello</s>\n" },
	{ "zephyr", "<s>", "</s>", 0, false,
		"<|system|>\nBe brief.</s>\n<|user|>\n Hi\n</s>\n<|assistant|>\nHello there "
		"</s>\n<|user|>\nBye</s>\n<|assistant|>\n" },
	{ "zephyr", "<s>", "</s>", 1, false,
		"<|user|>\nHi</s>\n<|assistant|>\nHello</s>\n" },
	{ "tulu", "<s>", "</s>", 0, false,
		"<|system|>\nBe brief.\n<|user|>\n Hi\n\n<|assistant|>\nHello there </s>"
		"\n<|user|>\nBye\n<|assistant|>\n" },
	{ "tulu", "<s>", "</s>", 1, false,
		"<|user|>\nHi\n<|assistant|>\nHello</s>" },
	{ "openchat", "<s>", "</s>", 0, false,
		"<s>GPT4 Correct System: Be brief.<|end_of_turn|>GPT4 Correct User:  Hi\n"
		"<|end_of_turn|>GPT4 Correct Assistant: Hello there <|end_of_turn|>GPT4 "
		"Correct User: Bye<|end_of_turn|>GPT4 Correct Assistant:" },
	{ "openchat", "<s>", "</s>", 1, false,
		"<s>GPT4 Correct User: Hi<|end_of_turn|>GPT4 Correct Assistant: Hello<|end_of_turn|>" },
	{ "command-r", "<s>", "</s>", 0, false,
		"<s><|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>Be brief.<|END_OF_TURN_TOKEN|>"
		"<|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|>"
		"<|CHATBOT_TOKEN|>Hello there<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|>"
		"<|USER_TOKEN|>Bye<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>" },
	{ "command-r", "<s>", "</s>", 1, false,
		"<s><|START_OF_TURN_TOKEN|><|USER_TOKEN|>Hi<|END_OF_TURN_TOKEN|><|START_OF_TURN_TOKEN|>"
		"<|CHATBOT_TOKEN|>Hello<|END_OF_TURN_TOKEN|>" },
	{ "granite", "<s>", "</s>", 0, false,
		"<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>"
		"user<|end_of_role|> Hi\n<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
		"Hello there <|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Bye<|end_of_text|>"
		"\n<|start_of_role|>assistant<|end_of_role|>" },
	{ "granite", "<s>", "</s>", 1, false,
		"<|start_of_role|>user<|end_of_role|>Hi<|end_of_text|>\n<|start_of_role|>"
		"assistant<|end_of_role|>Hello<|end_of_text|>\n" },
	/* clang-format on */
};

static void layouts_are_as_published(void **state)
{
	for (size_t i = 0; i < sizeof(published) / sizeof(*published); i++) {
		talk t;
		ds_err e;
		ds_chat_runs runs;
		const char *json = published[i].which       ? SECOND
				   : published[i].no_system ? "[" FIRST
							    : "[" SYSTEM FIRST;
		ds_chat_how how = { !published[i].which, ds_str_of(published[i].bos),
			ds_str_of(published[i].eos) };
		assert_int_equal(read_turns(&t, json, &e), DS_OK);
		assert_int_equal(render(published[i].layout, &t, how, &runs, &e), DS_OK);
		assert_string_equal(all(&runs, false, t.mem).at, published[i].want);
		ds_arena_free(t.mem);
	}
}

static const ds_chat_how ended = { false, { "<s>", 3 }, { "</s>", 4 } },
			 open_ended = { true, { "<s>", 3 }, { "</s>", 4 } };

static void an_answer_and_its_end_are_targets(void **state)
{
	static const char *const want[][2] = { { "chatml", "Hello<|im_end|>" },
		{ "qwen3", "<think>\n\n</think>\n\nHello<|im_end|>" }, { "llama2", " Hello </s>" },
		{ "llama3", "Hello<|eot_id|>" }, { "mistral", "Hello</s>" },
		{ "vicuna", " Hello</s>" }, { "alpaca", "Hello</s>" },
		{ "gemma", "Hello<end_of_turn>" }, { "phi3", "Hello<|end|>" },
		{ "deepseek-coder", "Hello\n<|EOT|>" }, { "roles", "Hello</s>" } };
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		talk t;
		ds_err e;
		ds_chat_runs runs;
		assert_int_equal(read_turns(&t, SECOND, &e), DS_OK);
		assert_int_equal(render(want[i][0], &t, ended, &runs, &e), DS_OK);
		assert_string_equal(all(&runs, true, t.mem).at, want[i][1]);
		ds_arena_free(t.mem);
	}
}

static void every_layout_opens_an_answer_as_it_begins_one(void **state)
{
	const ds_chat_layout *l;
	for (size_t i = 0; (l = ds_chat_at(i)); i++) {
		talk t;
		ds_err e;
		ds_chat_runs asked, told;
		if (l->lead)
			continue;
		assert_int_equal(read_turns(&t, SECOND, &e), DS_OK);
		assert_int_equal(render(l->name, &t, ended, &told, &e), DS_OK);
		ds_chat_ask(&t.turns);
		assert_int_equal(render(l->name, &t, open_ended, &asked, &e), DS_OK);
		assert_true(ds_str_starts(all(&told, false, t.mem), all(&asked, false, t.mem)));
		ds_arena_free(t.mem);
	}
}

static const char *reason(const char *layout, const char *json)
{
	static ds_err e;
	talk t;
	ds_chat_runs runs;
	ds_rc rc = read_turns(&t, json, &e);
	if (rc == DS_OK)
		rc = render(layout, &t, ended, &runs, &e);
	ds_arena_free(t.mem);
	return rc == DS_OK ? NULL : e.msg;
}

static void what_a_layout_has_no_place_for_is_named(void **state)
{
	assert_non_null(strstr(reason("chatml", "[{\"role\":\"narrator\",\"content\":\"a\"}]"),
		"messages[0]: role 'narrator' is none of"));
	assert_non_null(
		strstr(reason("chatml", "[{\"role\":\"user\"}]"), "messages[0]: no content"));
	assert_non_null(strstr(reason("chatml", "[{\"content\":\"a\"}]"), "messages[0]: no role"));
	assert_non_null(strstr(
		reason("chatml", "[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]"),
		"a content part of type 'image_url'"));
	assert_non_null(strstr(reason("chatml", "{}"), "messages is not an array"));
	assert_non_null(strstr(reason("llama2", "[{\"role\":\"assistant\",\"content\":\"a\"}]"),
		"messages[0]: an answer that follows no question"));
	assert_non_null(
		strstr(reason("gemma", "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"user\","
				       "\"content\":\"a\"}]"),
			"messages[1]: a question after a question"));
	assert_non_null(
		strstr(reason("vicuna", "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"tool\","
					"\"content\":\"a\"}]"),
			"messages[1]: vicuna has no place for role 'tool'"));
}

static void messages_are_read_as_they_are_published(void **state)
{
	talk t;
	ds_err e;
	assert_int_equal(
		read_turns(&t,
			"[{\"role\":\"developer\",\"content\":\"d\"},{\"from\":\"human\",\"value\":"
			"\"h\"},"
			"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
			"{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":"
			"null,"
			"\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\": "
			"1}\"}}]},"
			"{\"role\":\"tool\",\"content\":\"r\"},{\"from\":\"gpt\",\"value\":\"g\"}]",
			&e),
		DS_OK);
	static const ds_chat_role want[] = { DS_CHAT_SYSTEM, DS_CHAT_USER, DS_CHAT_USER,
		DS_CHAT_ASSISTANT, DS_CHAT_TOOL, DS_CHAT_ASSISTANT };
	assert_int_equal(t.turns.n, 6);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(t.turns.at[i].role, want[i]);
	assert_true(ds_str_is(t.turns.at[2].text, "ab"));
	ds_chat_runs runs;
	assert_int_equal(render("qwen2.5", &t, ended, &runs, &e), DS_OK);
	assert_non_null(
		strstr(all(&runs, true, t.mem).at, "<tool_call>\n{\"name\": \"f\", \"arguments\": "
						   "{\"x\": 1}}\n</tool_call><|im_end|>g"));
	assert_non_null(strstr(all(&runs, false, t.mem).at,
		"<|im_start|>user\n<tool_response>\nr\n</"
		"tool_response><|im_end|>\n<|im_start|>assistant\ng"));
	ds_arena_free(t.mem);
}

/* ---- templates ---- */

static const ds_chat_layout *recognise(const char *template, ds_arena *mem)
{
	ds_err why;
	return ds_chat_recognise(ds_str_of(template), DS_S("<s>"), DS_S("</s>"), mem, &why);
}

static void every_layout_is_recognised_from_its_own_template(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	const ds_chat_layout *l;
	for (size_t i = 0; (l = ds_chat_at(i)); i++) {
		ds_buf text = { 0 };
		ds_chat_jinja(l, &text);
		const ds_chat_layout *found = recognise(ds_buf_text(&text), mem);
		assert_non_null(found);
		talk t;
		ds_err e;
		ds_chat_runs a, b;
		assert_int_equal(read_turns(&t, SECOND, &e), DS_OK);
		assert_int_equal(ds_chat_render(l, &t.turns, &open_ended, t.mem, &a, &e), DS_OK);
		assert_int_equal(
			ds_chat_render(found, &t.turns, &open_ended, t.mem, &b, &e), DS_OK);
		assert_string_equal(all(&a, false, t.mem).at, all(&b, false, t.mem).at);
		assert_string_equal(all(&a, true, t.mem).at, all(&b, true, t.mem).at);
		ds_arena_free(t.mem);
		ds_buf_free(&text);
	}
}

static void a_template_is_known_by_what_it_does(void **state)
{
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	const ds_chat_layout *l = recognise(
		"{#- chatml with a prompt of its own -#}\n"
		"{%- if messages[0].role != 'system' %}\n"
		"    {{- '<|im_start|>system\\nI am X.<|im_end|>\\n' }}\n{%- endif %}\n"
		"{% for m in messages %}\n"
		"  {%- set text = m.content | trim %}{{- '<|im_start|>' ~ m['role'] + '\\n' + text "
		"}}"
		"{{ '<|im_end|>' ~ '\\n' }}\n"
		"{%- endfor %}\n{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
		mem);
	assert_non_null(l);
	assert_string_equal(l->name, "chatml");
	assert_string_equal(l->otherwise, "I am X.");
	assert_int_equal(l->flags & DS_CHAT_TRIM, DS_CHAT_TRIM);
	assert_null(recognise(
		"{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}", mem));
	assert_null(recognise("{% for m in messages %}", mem));
}

static const char *run(const char *template)
{
	static char text[2048];
	static ds_err e;
	DS_AUTO(ds_arena) mem = ds_arena_new(1 << 20);
	const ds_json *list;
	ds_jinja *j;
	ds_buf out = { 0 };
	assert_int_equal(
		ds_json_parse(&list, mem, DS_S("[{\"role\":\"user\",\"content\":\" a b \"}]"), &e),
		DS_OK);
	ds_jinja_vars v = { list, true, DS_S("<s>"), DS_S("</s>") };
	ds_rc rc = ds_jinja_parse(&j, ds_str_of(template), mem, &e);
	if (rc == DS_OK)
		rc = ds_jinja_run(j, &v, mem, &out, &e);
	snprintf(text, sizeof(text), "%s%s", rc == DS_OK ? "" : "! ",
		rc == DS_OK ? ds_buf_text(&out) : e.msg);
	ds_buf_free(&out);
	return text;
}

static void templates_run_as_jinja_runs_them(void **state)
{
	static const char *const cases[][2] = {
		{ "a {{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 % 3 }} {{ 1 / 2 }}", "a 7 3 2 0.5" },
		{ "x\n  {% if true %}\ny\n  {% endif %}\nz\n", "x\ny\nz" },
		{ "x {%- if 1 -%} y {%- endif %} z", "xy z" },
		{ "{{ messages[0].content.strip() }}|{{ messages[0]['content'] | trim | upper }}",
			"a b|A B" },
		{ "{{ messages[-1].role[1:3] }}{{ messages[0].role[:-1] }}", "seuse" },
		{ "{% set ns = namespace(n=0) %}{% for i in range(4) if i != 2 %}{% set ns.n = "
		  "ns.n + i %}"
		  "{{ loop.index }}{% endfor %}={{ ns.n }}",
			"123=4" },
		{ "{% set x = 1 %}{% for i in [2, 3] %}{% set x = i %}{% endfor %}{{ x }}", "1" },
		{ "{% for k, v in {'a': 1, 'b': [true, none, 'c\"']}.items() %}{{ k }}{{ v | "
		  "tojson }}{% endfor %}",
			"a1b[true, null, \"c\\\"\"]" },
		{ "{{ 'yes' if missing is not defined and not tools else 'no' }}", "yes" },
		{ "{{ ('b' in 'abc') and 'd' not in ['a'] }}", "True" },
		{ "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}", "1" },
		{ "{% if tools %}a{% elif add_generation_prompt %}b{% else %}c{% endif %}", "b" },
		{ "{{ 'a,b'.split(',')[1] ~ ('x' | default('y')) ~ (q | default('z')) }}", "bxz" },
		{ "{% set t %}<{{ bos_token }}>{% endset %}{{ t }}{{ t }}", "<<s>><<s>>" },
		{ "{% generation %}{{ eos_token }}{% endgeneration %}", "</s>" },
		{ "{{ raise_exception('no ' + 'way') }}", "! the template says: no way" },
		{ "{{ missing.x }}", "! 'missing' is undefined" },
		{ "{% macro f() %}{% endmacro %}",
			"! offset 10: the statement 'macro' is not understood" },
		{ "{{ 'a' | nonsense }}", "! the filter 'nonsense' is not understood" },
		{ "{% for i in range(9999999) %}{% endfor %}",
			"! a range of over 1048576 numbers" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(run(cases[i][0]), cases[i][1]);
	assert_non_null(
		strstr(run("{% set n = namespace() %}{% set n.n = n %}{{ n }}"), "{\"n\": {\"n\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_are_as_published),
		cmocka_unit_test(an_answer_and_its_end_are_targets),
		cmocka_unit_test(every_layout_opens_an_answer_as_it_begins_one),
		cmocka_unit_test(what_a_layout_has_no_place_for_is_named),
		cmocka_unit_test(messages_are_read_as_they_are_published),
		cmocka_unit_test(every_layout_is_recognised_from_its_own_template),
		cmocka_unit_test(a_template_is_known_by_what_it_does),
		cmocka_unit_test(templates_run_as_jinja_runs_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
