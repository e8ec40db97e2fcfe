# Completion of the finback command for fish.

complete -c finback -f
complete -c finback -n __fish_use_subcommand -l help -d 'how to use it'
complete -c finback -n __fish_use_subcommand -l version -d 'version and build'
complete -c finback -n __fish_use_subcommand -a chat -d 'answer a prompt, or hold a conversation'
complete -c finback -n __fish_use_subcommand -a complete -d 'continue a text'
complete -c finback -n __fish_use_subcommand -a encode -d 'messages to the prompt'
complete -c finback -n __fish_use_subcommand -a parse -d 'a completion to a message'
complete -c finback -n __fish_use_subcommand -a tokenize -d 'text to token ids, and back'
complete -c finback -n __fish_use_subcommand -a inspect -d 'config, tensors, memory plan'
complete -c finback -n __fish_use_subcommand -a verify -d 'check the contents of every tensor'
complete -c finback -n __fish_use_subcommand -a bench -d 'how fast this machine is'
complete -c finback -n __fish_use_subcommand -a logits -d 'evaluate token ids'
complete -c finback -n __fish_use_subcommand -a models -d 'the models of a service'
complete -c finback -n __fish_use_subcommand -a balance -d 'the balance at a service'
complete -c finback -n __fish_use_subcommand -a cost -d 'what was spent at services'
complete -c finback -n __fish_use_subcommand -a cache -d 'the conversations that are kept'
complete -c finback -n __fish_use_subcommand -a options -d 'what --set knows'

# models and computing
complete -c finback -n '__fish_seen_subcommand_from chat complete encode tokenize inspect verify bench models balance' -s m -l model -d 'checkpoint folder' -x -a '(__fish_complete_directories)'
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect bench logits' -l precision -d 'numbers to compute with' -x -a 'published bf16 float32'
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect bench logits' -l threads -d 'number of threads' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect bench logits' -l chunk -d 'tokens of a prompt evaluated at once' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect bench logits' -l memory -d 'most bytes to take' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect logits' -l effort-ladder -d 'which texts stand for which effort' -x -a 'auto preview 0731'
complete -c finback -n '__fish_seen_subcommand_from chat complete inspect logits' -l context -d 'tokens that the conversation can hold' -x

# sampling
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l temperature -d '0 is greedy' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l top-p -d 'nucleus' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l top-k -d 'number of candidates' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l min-p -d 'share of the best probability' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l seed -d 'of the random choice' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l max-tokens -d 'most tokens to answer' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l logprobs -d 'alternatives to report for each token' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l stop -d 'text to stop before' -x

# services
complete -c finback -n '__fish_seen_subcommand_from chat complete cost' -l ledger -d 'SQLite file for costs' -r -F
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l budget -d 'most dollars to spend' -x
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l record -d 'folder for exchanges' -x -a '(__fish_complete_directories)'
complete -c finback -n '__fish_seen_subcommand_from chat complete' -l replay -d 'folder to answer from' -x -a '(__fish_complete_directories)'
complete -c finback -n '__fish_seen_subcommand_from chat complete encode tokenize inspect verify bench models balance' -l set -d 'any option of the library' -x
complete -c finback -n '__fish_seen_subcommand_from cost' -l by -d 'what to add up by' -x -a 'day model key user tag provider conversation'
complete -c finback -n '__fish_seen_subcommand_from cost' -l since -d 'from this day on' -x
complete -c finback -n '__fish_seen_subcommand_from cost' -l until -d 'before this day' -x
complete -c finback -n '__fish_seen_subcommand_from cost' -l reprice -d 'compute anew first'
complete -c finback -n '__fish_seen_subcommand_from cost' -l prices -d 'prices over the built-in ones' -r -F

# each command's own
complete -c finback -n '__fish_seen_subcommand_from chat complete encode inspect bench models balance cost cache options' -l json -d 'one JSON object'
complete -c finback -n '__fish_seen_subcommand_from chat complete' -s v -l verbose -d 'log and speed to standard error'
complete -c finback -n '__fish_seen_subcommand_from chat' -l show-reasoning -d 'reasoning to standard error'
complete -c finback -n '__fish_seen_subcommand_from chat' -l request -d 'a Chat Completions request' -r -F
complete -c finback -n '__fish_seen_subcommand_from chat' -l system -d 'system message' -x
complete -c finback -n '__fish_seen_subcommand_from chat' -l effort -d 'how much to reason' -x -a 'none low high max'
complete -c finback -n '__fish_seen_subcommand_from chat' -l tools -d 'tool definitions' -r -F
complete -c finback -n '__fish_seen_subcommand_from chat' -l json-object -d 'answer with a JSON object'
complete -c finback -n '__fish_seen_subcommand_from chat encode parse' -l think -d 'reason first'
complete -c finback -n '__fish_seen_subcommand_from chat encode parse' -l no-think -d 'answer at once'
complete -c finback -n '__fish_seen_subcommand_from complete' -l suffix -d 'what the text goes on with' -x
complete -c finback -n '__fish_seen_subcommand_from complete' -l plain -d 'special tokens are plain text'
complete -c finback -n '__fish_seen_subcommand_from complete encode' -l no-bos -d 'nothing before the text'
complete -c finback -n '__fish_seen_subcommand_from encode' -l keep-thinking -d 'keep earlier reasoning'
complete -c finback -n '__fish_seen_subcommand_from encode' -l effort-prefix -d 'text that asks for effort' -x -a 'none max beyond_max'
complete -c finback -n '__fish_seen_subcommand_from encode' -l request -d 'the input is a Chat Completions request'
complete -c finback -n '__fish_seen_subcommand_from encode' -l check-service -d 'what the service would refuse'
complete -c finback -n '__fish_seen_subcommand_from encode tokenize' -l ids -d 'token ids'
complete -c finback -n '__fish_seen_subcommand_from parse' -l strict -d 'refuse what is malformed'
complete -c finback -n '__fish_seen_subcommand_from tokenize' -l special -d 'recognize special tokens'
complete -c finback -n '__fish_seen_subcommand_from tokenize' -l count -d 'how many'
complete -c finback -n '__fish_seen_subcommand_from verify' -l sha256 -d 'what sha256sum printed' -r -F
complete -c finback -n '__fish_seen_subcommand_from bench' -l shape -d 'of the random weights' -x -a 'flash pro tiny'
complete -c finback -n '__fish_seen_subcommand_from bench' -l kinds -d 'layers' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l experts -d 'of a layer' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l folder -d 'where to keep the weights' -x -a '(__fish_complete_directories)'
complete -c finback -n '__fish_seen_subcommand_from bench' -l depths -d 'lengths of contexts' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l together -d 'tokens at once' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l streams -d 'streams that decode at once' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l prefill -d 'lengths of prompts' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l prefill-depths -d 'tokens before prompts' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l repeats -d 'measurements of each' -x
complete -c finback -n '__fish_seen_subcommand_from bench' -l costs -d 'count, do not measure'
complete -c finback -n '__fish_seen_subcommand_from bench' -l tokens -d 'decoded at a depth' -x
complete -c finback -n '__fish_seen_subcommand_from logits' -l tokens -d 'token ids' -r -F
complete -c finback -n '__fish_seen_subcommand_from logits' -l out -d 'float32 logits' -r -F
complete -c finback -n '__fish_seen_subcommand_from logits' -l snapshot-at -d 'tokens before the snapshot' -x
complete -c finback -n '__fish_seen_subcommand_from logits' -l snapshot -d 'where to save the state' -r -F
complete -c finback -n '__fish_seen_subcommand_from logits' -l resume -d 'state to go on from' -r -F
complete -c finback -n '__fish_seen_subcommand_from chat complete encode parse tokenize inspect verify bench logits models balance cost cache options' -l help -d 'how to use it'
complete -c finback -n '__fish_seen_subcommand_from chat' -l no-cache -d 'keep nothing of it'
complete -c finback -n '__fish_seen_subcommand_from cache' -a 'list verify clear'
complete -c finback -n '__fish_seen_subcommand_from cache' -l folder -d 'where they are' -x -a '(__fish_complete_directories)'
complete -c finback -n '__fish_seen_subcommand_from cache' -l name -d 'of one model' -x

# files and folders
complete -c finback -n '__fish_seen_subcommand_from encode parse' -F
complete -c finback -n '__fish_seen_subcommand_from inspect verify logits' -a '(__fish_complete_directories)'
