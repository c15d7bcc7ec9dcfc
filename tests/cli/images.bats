#!/usr/bin/env bats
# Pictures with captions through training, measuring and asking; what is damaged is a bad record

load common

# picture FILE R G B: 16 x 16 pixels of one colour, as a PPM
picture() {
	printf 'P6\n16 16\n255\n' >"$1"
	printf "\\x$2\\x$3\\x$4%.0s" $(seq 256) >>"$1"
}

setup() {
	common_setup
	mkdir im
	picture im/red.ppm e0 10 10
	picture im/green.ppm 10 e0 10
	picture im/blue.ppm 10 10 e0
	picture im/white.ppm f0 f0 f0
	picture im/black.ppm 05 05 05
	picture im/yellow.ppm e0 e0 10
	for c in red green blue white black yellow; do
		echo "{\"file_name\":\"$c.ppm\",\"text\":\"a $c square\",\"label\":\"$c\"}"
	done >im/metadata.jsonl
	small=hidden_size=32,intermediate_size=64,num_hidden_layers=1,num_attention_heads=2,image_size=16,patch_size=8
	clip=(--task clip --model clip-tiny --set "$small,projection_dim=16,vocab_size=32768" -q)
	vit=(--model vit-tiny --set "$small" -q)
}

score() { python3 -c 'import json,sys; print(json.load(sys.stdin)["metrics"][0]["score"])'; }

over() { [ -n "$1" ] && awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'; }

@test "a CLIP learns which caption belongs to which picture, and says so of them" {
	dsrec import im -o im.dsr -q
	dstrain "${clip[@]}" --epochs 80 --lr 2e-3 --out m im.dsr
	[ "$(dseval retrieval -m m --to json -q im.dsr | score)" = 1.0 ]
	[ "$(dseval retrieval:image -m m --to json -q im.dsr | score)" = 1.0 ]
	run --separate-stderr dseval clip clip:paper -m m --to json -q im.dsr
	[[ $output == *'"form:torchmetrics"'*'"form:paper"'* ]]
	dsgen -m m --labels red,green,blue,white,black,yellow --prompt 'a {} square' -q --to jsonl im.dsr >p.jsonl
	[ "$(dseval accuracy --to json -q p.jsonl | score)" = 1.0 ]
	grep -q '"image_processor_type": "CLIPImageProcessor"' m/preprocessor_config.json
	grep -q '"text_config": {' m/config.json
}

@test "what a CLIP learns of digits holds for those it never saw: zero-shot labels and retrieval far above chance" {
	[ -n "${DS_TEST_DATA:-}" ] || skip "DS_TEST_DATA is not set"
	python3 "$ROOT/tests/cli/digits.py" "$DS_TEST_DATA/images/mnist" 1000 300
	dsrec import train -o train.dsr -q
	dsrec import held -o held.dsr -q
	dstrain --task clip --model clip-tiny --set hidden_size=64,intermediate_size=128,num_hidden_layers=2,image_size=28,patch_size=7,projection_dim=32 \
		--set seq=10,batch_tokens=640,epochs=12,lr=3e-3,warmup_steps=10,seed=1 --out m -q train.dsr
	words=zero,one,two,three,four,five,six,seven,eight,nine
	dsgen -m m --labels $words --prompt 'a handwritten {}' -q --to jsonl held.dsr >p.jsonl
	# Of 300, chance finds 30 labels and 4.7 pictures; these are over 17 and 4 standard deviations more.
	over "$(dseval accuracy --to json -q p.jsonl | score)" 0.4
	over "$(dseval retrieval -m m --to json -q held.dsr | score)" 0.045
	over "$(dseval retrieval:image -m m --to json -q held.dsr | score)" 0.045
	over "$(dseval retrieval:image:top=5 -m m --to json -q held.dsr | score)" 0.2
	dseval retrieval:top=5 -m m --to json -q held.dsr >top.json
	over "$(score <top.json)" 0.2
	grep -q 'among:64|top:5.*chance is 0.0781' top.json
	fails 2 'top=64: from 1 to 63' dseval retrieval:top=64 -m m -q held.dsr
}

@test "vectors of pictures and texts have length 1, and do not depend on what is beside them" {
	dsrec import im -o im.dsr -q
	dstrain "${clip[@]}" --max-steps 1 --out m im.dsr
	dsgen -m m --embed -q --to jsonl im.dsr >all.jsonl
	dsrec head -n 1 im.dsr | dsgen -m m --embed -q --to jsonl >one.jsonl
	head -n 1 all.jsonl | cmp - one.jsonl
	python3 - all.jsonl <<-'END'
		import json, sys
		for r in map(json.loads, open(sys.argv[1])):
		    for name in "embedding", "text_embedding":
		        assert len(r[name]) == 16 and abs(sum(x * x for x in r[name]) - 1) < 1e-5
	END
	echo 'a red square' | dsgen -m m --embed -q --to jsonl | python3 -c 'import json,sys; assert len(json.load(sys.stdin)["embedding"]) == 16'
}

@test "a ViT learns labels, and predicts them" {
	dsrec import im -o im.dsr -q
	dstrain "${vit[@]}" --epochs 60 --lr 2e-3 --out m im.dsr
	dsgen -m m -q --to jsonl im.dsr | dseval accuracy --to json -q | score | grep -qx 1.0
	grep -q ViTForImageClassification m/config.json
	[ ! -e m/tokenizer.json ]
}

@test "ONNX files take prepared pictures, and CLIP's texts beside" {
	dsrec import im -o im.dsr -q
	dstrain "${clip[@]}" --max-steps 1 --out m im.dsr
	dstrain "${vit[@]}" --max-steps 1 --out v im.dsr
	dsexport onnx -m v -o v.onnx -q
	python3 "$BATS_TEST_DIRNAME/onnx_read.py" v.onnx >out
	grep -qx "input pixel_values f32 batch_size,3,16,16" out && grep -qx "output logits f32 batch_size,6" out
	dsexport onnx -m m -o m.onnx -q --input pixel_values=2,3,16,16
	python3 "$BATS_TEST_DIRNAME/onnx_read.py" m.onnx >out
	grep -qx "input pixel_values f32 2,3,16,16" out && grep -qx "input input_ids i64 text_batch_size,sequence_length" out
	grep -qx "output logits_per_image f32 2,text_batch_size" out && grep -qx "output text_embeds f32 text_batch_size,16" out
	for wrong in pixel_values=1,3,16,8 pixel_values=1,3,16,16,1 pixel_values=0 token_type_ids=1,8; do
		run --separate-stderr dsexport onnx -m m -o m.onnx -q --input "$wrong"
		[ "$status" -eq 2 ]
	done
	run --separate-stderr dsexport onnx -m v -o v.onnx -q --input input_ids=1,8
	[ "$status" -eq 2 ] && [[ $stderr == *"pixel_values is the input"* ]]
}

@test "a run with pictures that goes on ends with the bits of one that was never stopped" {
	dsrec import im -o im.dsr -q
	vary="image_flip=0.5,image_crop=0.5,image_color=0.2"
	dstrain "${clip[@]}" --set "$vary" --max-steps 6 --save-every 3 --out whole im.dsr
	dstrain "${clip[@]}" --set "$vary" --max-steps 6 --save-every 3 -j 1 --out part im.dsr
	rm -r part/checkpoint-6
	dstrain "${clip[@]}" --set "$vary" --max-steps 6 --resume --out part im.dsr
	cmp whole/model.safetensors part/model.safetensors
}

@test "a damaged picture is a bad record with its name, and --on-error decides on it" {
	mkdir bad
	echo 'not a picture' >bad/x.png
	head -c 400 im/red.ppm >bad/y.ppm
	for f in x y; do echo 'a caption' >bad/$f.txt; done
	dsrec import bad -o bad.dsr -q
	fails 1 "x.png" dstrain "${clip[@]}" --max-steps 1 --out b bad.dsr
	dsrec import im -o im.dsr -q
	dsrec import im bad -o both.dsr -q
	dstrain "${clip[@]}" --max-steps 1 --out a im.dsr
	rm -rf b
	dstrain "${clip[@]}" --max-steps 1 --on-error skip --out b both.dsr
	cmp a/model.safetensors b/model.safetensors
	dstrain "${clip[@]}" --max-steps 1 --on-error reject=left.jsonl --out c both.dsr
	[ "$(wc -l <left.jsonl)" -eq 2 ]
	fails 1 "x.png" dseval clip -m a bad.dsr
	fails 1 "y.ppm" dsgen -m a --embed -q --to jsonl bad/y.ppm
	dsgen -m a --embed --on-error skip -q --to jsonl bad/y.ppm im/red.ppm >v.jsonl
	[ "$(grep -c embedding v.jsonl)" -eq 1 ]
}

@test "what a model of pictures cannot do is said before anything is read" {
	dsrec import im -o im.dsr -q
	dstrain "${clip[@]}" --max-steps 1 --out m im.dsr
	fails 2 "task=clip" dstrain "${clip[@]}" --task mlm --max-steps 1 --out x im.dsr
	fails 2 "task=clip" dstrain --model gpt2 --task clip --max-steps 1 --out x im.dsr -q
	fails 2 "labels" dsgen -m m im.dsr
	fails 2 "no {}" dsgen -m m --labels a,b --prompt x im.dsr
	fails 2 "patch_size" dstrain "${vit[@]}" --set patch_size=7 --max-steps 1 --out x im.dsr
	sed -i 's/"crop_size": .*/"crop_size": 8,/' m/preprocessor_config.json
	fails 2 "the model takes 16" dsgen -m m --embed -q im.dsr
}
