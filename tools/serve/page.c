/*
 * page.c - the page at /: a text, a button, and the answer as it comes
 *
 * It asks for nothing from elsewhere, and says so in its policy.
 */
#include "answers.h"

static const char page[] =
	"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<title>dsserve</title>\n"
	"<style>\n"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em;"
	"color:#222;background:#fff}\n"
	"textarea,input,select,button{font:inherit}\n"
	"textarea{width:100%;box-sizing:border-box;min-height:7em}\n"
	"pre{white-space:pre-wrap;border:1px solid #ccc;padding:.7em;min-height:4em}\n"
	"fieldset{border:0;padding:0;margin:.7em 0;display:flex;gap:1em;flex-wrap:wrap}\n"
	"input{width:6em}input[type=password]{width:12em}\n"
	".bad{color:#a00}\n"
	"@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}"
	"textarea,input,select,button{color:inherit;background:#222;border:1px solid #555}}\n"
	"</style>\n</head>\n<body>\n<h1>dsserve <small id=\"model\"></small></h1>\n"
	"<form id=\"ask\">\n<label for=\"prompt\">Text</label>\n"
	"<textarea id=\"prompt\" required></textarea>\n<fieldset>\n"
	"<label>As <select id=\"kind\"><option value=\"completions\">text to continue</option>"
	"<option value=\"chat/completions\">question</option></select></label>\n"
	"<label>Tokens <input id=\"tokens\" type=\"number\" min=\"1\" value=\"64\"></label>\n"
	"<label>Temperature <input id=\"heat\" type=\"number\" min=\"0\" step=\"0.1\" "
	"value=\"0.8\"></label>\n"
	"<label>Key <input id=\"key\" type=\"password\" autocomplete=\"off\"></label>\n"
	"</fieldset>\n<button id=\"go\">Go</button> <button id=\"stop\" type=\"button\" "
	"disabled>Stop</button>\n</form>\n"
	"<pre id=\"answer\" aria-live=\"polite\"></pre>\n<p id=\"note\"></p>\n<script>\n"
	"'use strict';\nconst $=i=>document.getElementById(i);let stop=null;\n"
	"const head=()=>({'Content-Type':'application/json',...($('key').value?"
	"{Authorization:'Bearer '+$('key').value}:{})});\n"
	"const note=(t,bad)=>{$('note').textContent=t;$('note').className=bad?'bad':''};\n"
	"fetch('/v1/models',{headers:head()}).then(r=>r.json()).then(j=>{if(j.data)"
	"$('model').textContent=j.data[0].id}).catch(()=>{});\n"
	"function take(line){if(!line.startsWith('data: ')||line==='data: [DONE]')return 0;\n"
	"const j=JSON.parse(line.slice(6));if(j.error)throw new Error(j.error.message);\n"
	"const c=j.choices[0];if(!c)return 0;const t=c.text||(c.delta&&c.delta.content)||'';"
	"$('answer').textContent+=t;return t?1:0}\n"
	"$('ask').addEventListener('submit',async ev=>{ev.preventDefault();stop?.abort();"
	"stop=new AbortController();\n"
	"$('answer').textContent='';$('stop').disabled=false;note('');const "
	"began=performance.now();"
	"let n=0;\n"
	"const b={stream:true,max_tokens:+$('tokens').value,temperature:+$('heat').value};\n"
	"if($('kind').value==='completions')b.prompt=$('prompt').value;"
	"else b.messages=[{role:'user',content:$('prompt').value}];\n"
	"try{const r=await fetch('/v1/'+$('kind').value,{method:'POST',headers:head(),"
	"body:JSON.stringify(b),signal:stop.signal});\n"
	"if(!r.ok)throw new Error((await r.json()).error.message);\n"
	"const d=r.body.pipeThrough(new TextDecoderStream()).getReader();let rest='';\n"
	"for(;;){const{done,value}=await d.read();if(done)break;const l=(rest+value).split('\\n');"
	"rest=l.pop();for(const x of l)n+=take(x)}\n"
	"note(n+' pieces in '+((performance.now()-began)/1000).toFixed(2)+' s')}\n"
	"catch(e){note(e.message,e.name!=='AbortError')}$('stop').disabled=true});\n"
	"$('stop').addEventListener('click',()=>stop?.abort());\n"
	"</script>\n</body>\n</html>\n";

void answer_page(server *s, http_call *c)
{
	http_header(c, "Content-Security-Policy",
		"default-src 'none';style-src 'unsafe-inline';script-src "
		"'unsafe-inline';connect-src 'self'");
	http_header(c, "X-Content-Type-Options", "nosniff");
	http_answer(c, 200, "text/html; charset=utf-8", (ds_str){ page, sizeof(page) - 1 });
}
