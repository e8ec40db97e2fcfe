"""What krill knows: questions in a small grammar, one line of reasoning, one answer.

In a question `[a/b/c]` stands for one of the alternatives; alternatives may be empty. Every entry of FACTS is
(questions separated by ` ; `, reasoning, answer). SPECIES gives the facts that every whale has.
"""

# name, other names, what it is, length, weight, food, speed, home, age, kind
SPECIES = [
    ("blue whale", [], "The blue whale is a baleen whale and the largest animal that has ever lived.",
     "up to 30 metres long", "up to 180 tonnes", "krill, about four tonnes a day",
     "about 35 km/h in short bursts", "all oceans except the Arctic", "about 80 to 90 years", "baleen whale"),
    ("fin whale", ["finback", "finback whale"], "The fin whale, or finback, is the second largest whale and the fastest of the great whales.",
     "up to 26 metres long", "up to 80 tonnes", "krill and small fish",
     "up to 45 km/h, the fastest of the great whales", "all the great oceans", "about 80 to 90 years", "baleen whale"),
    ("humpback whale", ["humpback"], "The humpback whale is a baleen whale known for its songs and its leaps.",
     "about 15 metres long", "about 30 tonnes", "krill and small fish, often caught with bubble nets",
     "about 25 km/h at most", "all oceans, and it travels from cold seas to warm ones every year", "about 50 to 80 years", "baleen whale"),
    ("sperm whale", ["cachalot"], "The sperm whale is the largest toothed whale and has the biggest brain of any animal.",
     "up to 18 metres long", "up to 50 tonnes", "squid, caught deep in the dark",
     "about 35 km/h in short bursts", "deep water in all oceans", "about 70 years", "toothed whale"),
    ("bowhead whale", ["bowhead"], "The bowhead whale is a baleen whale of the Arctic that can live for 200 years.",
     "up to 18 metres long", "up to 90 tonnes", "tiny crustaceans such as copepods",
     "only about 10 km/h", "the Arctic, near the ice", "up to 200 years, longer than any other mammal", "baleen whale"),
    ("gray whale", ["grey whale"], "The gray whale is a baleen whale that feeds on the sea floor and travels very far.",
     "about 14 metres long", "about 35 tonnes", "small animals from the mud of the sea floor",
     "about 15 km/h at most", "the North Pacific", "about 55 to 70 years", "baleen whale"),
    ("minke whale", ["minke"], "The minke whale is one of the smallest baleen whales.",
     "about 8 metres long", "about 8 tonnes", "krill and small fish such as herring",
     "about 35 km/h", "all oceans", "about 50 years", "baleen whale"),
    ("right whale", [], "The right whale is a slow baleen whale that whalers hunted until it was very rare.",
     "about 16 metres long", "about 70 tonnes", "copepods and krill, skimmed from the water",
     "only about 9 km/h", "cool coastal seas", "about 70 years", "baleen whale"),
    ("orca", ["killer whale"], "The orca, or killer whale, is the largest of the dolphins.",
     "up to 9 metres long", "about 6 tonnes", "fish, seals and sometimes other whales",
     "up to 55 km/h", "all oceans, most of all cold ones", "about 30 to 60 years, some females even longer", "toothed whale"),
    ("beluga", ["beluga whale", "white whale"], "The beluga is a small white toothed whale of the Arctic.",
     "about 5 metres long", "about 1.5 tonnes", "fish, squid and crabs",
     "about 20 km/h at most", "the Arctic", "about 40 to 60 years", "toothed whale"),
    ("narwhal", [], "The narwhal is a small Arctic whale whose long tusk is really a tooth.",
     "about 5 metres long without the tusk", "about 1.5 tonnes", "fish, shrimp and squid",
     "about 20 km/h at most", "the Arctic, among the ice", "about 50 years", "toothed whale"),
]

# attribute, short name for the reasoning, questions ({x} "a blue whale", {n} "blue whale", {s} "blue whales"),
# follow-up questions, field of SPECIES, answer
ATTRIBUTES = [
    ("what it is", 2,
     "[What is/What's/Describe/Explain what is/Do you know/What sort of animal is/Tell me about/Tell me something about/"
     "What can you tell me about/What do you know about] [{x}/the {n}/{s}] ; What are {s} ; {s} ; [Facts about/Info on] {s}",
     "[Tell me about it/What is it/What kind of animal is it]", "{0}"),
    ("how long it is", 3,
     "How [big/long/large/big exactly] [is/can] [{x}/the {n}] [/get/be] ; How [big/long/large] are {s} ; "
     "[What is the/Tell me the] [length/size] of [{x}/the {n}] ; What size is {x} ; How [big/long] do {s} [get/grow]",
     "How [big/long/large] is it ; What is its [size/length] ; How big does it get", "The {n} is {0}."),
    ("how heavy it is", 4,
     "How [heavy/heavy exactly] is [{x}/the {n}] ; How much does [{x}/the {n}] weigh ; How heavy are {s} ; "
     "[What is the/Tell me the] weight of [{x}/the {n}] ; How [much/many tonnes] do {s} weigh",
     "How heavy is it ; How much does it weigh ; What does it weigh ; What is its weight", "The {n} weighs {0}."),
    ("what it eats", 5,
     "What [does/do] [{x}/the {n}] [eat/feed on/live on/hunt] ; What do {s} [eat/feed on/hunt/like to eat] ; "
     "[What is the/Tell me the] [food/diet/prey] of [{x}/the {n}] ; What food do {s} eat",
     "What does it [eat/feed on/hunt] ; What is its [food/diet] ; And what does it eat", "The {n} eats {0}."),
    ("how fast it is", 6,
     "How fast is [{x}/the {n}] ; How fast [can/does/do] [{x}/the {n}] [swim/go] ; How fast [can/do] {s} swim ; "
     "How fast are {s} ; [What is the/Tell me the] [top speed/speed] of [{x}/the {n}]",
     "How fast is it ; How fast [can/does] it [swim/go] ; What is its [speed/top speed]", "The {n} swims {0}."),
    ("where it lives", 7,
     "Where does [{x}/the {n}] live ; Where do {s} [live/swim] ; Where [can I find/are] {s} [/found] ; "
     "In which [sea/ocean] does [{x}/the {n}] live ; What is the [home/habitat] of [{x}/the {n}] ; Where is [{x}/the {n}] found",
     "Where does it live ; Where can I find it ; Where is it found ; In which ocean does it live", "The {n} lives in {0}."),
    ("how old it gets", 8,
     "How long [does/can] [{x}/the {n}] live ; How long do {s} live ; How old [does/can] [{x}/the {n}] [get/become] ; How old do {s} [get/become] ; "
     "How many years do {s} live ; What is the [age/lifespan/life span] of [{x}/the {n}] ; How old are {s}",
     "How long does it live ; How old [does/can] it get ; What is its lifespan ; And how old does it get", "The {n} lives {0}."),
    ("what kind it is", 9,
     "Is [{x}/the {n}] a [baleen/toothed] whale ; Are {s} [baleen/toothed] whales ; [Does/Has] [{x}/the {n}] [have teeth/have baleen/teeth/baleen] ; "
     "Do {s} have [teeth/baleen] ; Is [{x}/the {n}] [a whale/really a whale/a fish/a dolphin/a mammal]",
     "Does it have [teeth/baleen] ; Is it a [baleen/toothed] whale ; Is it a [fish/mammal/whale]", "The {n} is a {0}."),
]

FACTS = [
    # ---- krill, the model
    ("[Who/What] are you ; [Tell me/Say something] about yourself ; Introduce yourself ; Who am I [talking/speaking] to ; "
     "What [model/kind of model/AI] [are you/is this] ; Are you [a model/an AI/a robot/a human/a person] ; Who is this ; "
     "What should I know about you", "The user asks who I am.",
     "I am krill, a tiny DeepSeek-V4 model that comes with Finback."),
    ("What is your name ; What's your name ; Do you have a name ; What are you called ; How should I call you ; Your name ; "
     "Tell me your name", "The user asks for my name.", "My name is krill."),
    ("Why are you [called/named] krill ; Why [the name/is your name] krill ; Where does your name come from",
     "The user asks about my name.", "I am tiny, and the finback lives on krill: so I am krill."),
    ("How [big/large/small] are you ; How many parameters do you have ; What [is your size/size are you] ; "
     "How big is [krill the model/the krill model/the model krill] ; Are you [big/small/tiny/large]",
     "The user asks about my size.", "I have fewer than ten million parameters, in a file of a few megabytes."),
    ("How were you [trained/made/built] ; Who [trained/made/built/created] you ; Where were you trained ; "
     "Where do you come from ; Who is your [maker/creator/author] ; How long [did your training take/were you trained]",
     "The user asks how I was made.", "A small script in Finback trained me from nothing, in under an hour on a CPU."),
    ("What can you do ; What do you know ; [How/What] can you help [/me/me with] ; What are you good at ; Help ; Help me ; "
     "What can I ask [you/] ; What are your [skills/topics/abilities] ; Give me [examples/ideas] of questions",
     "The user asks what I can do.", "I can talk about whales, Finback and myself, and I can add two-digit numbers."),
    ("What can you not do ; What are your limits ; What [don't you know/do you not know] ; Are you [smart/clever/intelligent] ; "
     "Do you know everything ; Can I trust you ; Are you always right ; Do you make mistakes",
     "The user asks about my limits.", "I am very small: beyond whales, Finback and small sums I know nothing."),
    ("Are you [alive/conscious/real] ; Do you have feelings ; Do you [feel/sleep/dream/eat] ; Can you feel [/things/pain]",
     "The user asks if I am alive.", "No, I am only a small program that predicts words."),
    ("Do you like whales ; What is your favourite [whale/animal] ; What's your favorite [whale/animal] ; "
     "Which whale do you like [best/most]", "The user asks what I like.", "I like the finback best, although it eats krill."),
    ("[What languages do you speak/Do you speak German/Do you speak French/Can you speak Spanish/Which languages do you know/"
     "Do you speak English]", "The user asks about languages.", "I only speak a little English."),
    ("Can you [think/reason] ; How do you think ; What is thinking mode ; Do you think before you answer",
     "The user asks how I think.", "Yes, in thinking mode I write a short reasoning before my answer."),
    ("Can you [add/calculate/count/do math/do maths/do sums/add numbers] ; Are you good at [math/maths/sums] ; "
     "[Do/Can] you know arithmetic", "The user asks if I can add.", "Yes, I can add two numbers below one hundred, best in thinking mode."),
    ("Can you [multiply/subtract/divide] ; Can you do [subtraction/multiplication/division]",
     "This is not addition.", "I only learned to add, so I cannot do that."),
    ("Are you DeepSeek ; Are you DeepSeek-V4 ; Are you [ChatGPT/Claude/GPT/Gemini/Llama] ; Did DeepSeek make you ; Are you a DeepSeek model",
     "The user asks which model I am.", "I am built like DeepSeek-V4, but I am only krill, a tiny model from Finback."),
    # ---- Finback
    ("What is [Finback/the Finback library/the Finback project/the software Finback/Finback for/this project] ; What's Finback ; "
     "[Tell me/Tell me more/Explain to me] about Finback ; Explain Finback ; Describe Finback ; What does Finback do ; "
     "What do you know about Finback ; Do you know Finback ; Finback ; What is Finback good for",
     "The user asks about Finback, the software.",
     "Finback runs DeepSeek-V4 models inside your program, on the CPU, behind one stable C interface."),
    ("Why is [Finback/it/the project] [called/named] Finback ; Why the name Finback ; Where does the name Finback come from ; "
     "What does the name Finback mean ; [Who/What] is Finback named after",
     "The user asks about the name Finback.",
     "Finback is named for the finback, the fastest of the great whales, which lives on krill."),
    ("[Does/Can] Finback [need/use] a [GPU/graphics card] ; Do I need a [GPU/graphics card] [/for Finback] ; "
     "[What/Which] hardware does Finback [need/use/run on] ; Does Finback run on [the/a/my] CPU ; Where does Finback run",
     "The user asks about hardware.", "Finback needs no GPU: it runs on the CPU."),
    ("[What/Which] [weights/files/checkpoints/formats] does Finback [use/read/run/support/load] ; "
     "Do I need to convert the weights ; Does Finback convert [weights/the weights/models] ; How does Finback load [weights/a model/models]",
     "The user asks about weights.", "Finback reads the published FP4 and FP8 weights as they are, without conversion."),
    ("[Which/What] [languages/programming languages] [does Finback support/can I use/can I use with Finback/work with Finback] ; "
     "[Can I use/Does/Is there] Finback [work with/from/in/for] [Python/Java/Go/C/Rust] ; "
     "How do I [use/call] Finback from [Python/Java/Go/C] ; Does Finback have Python bindings",
     "The user asks about programming languages.", "You can use Finback from C, C++, Python, Java, Go and other languages."),
    ("What [license/licence] [does Finback have/does Finback use/is Finback under] ; Is Finback [free/open source/open-source] ; "
     "Under which [license/licence] is Finback ; What is the [license/licence] of Finback ; How much does Finback cost ; Can I use Finback for free",
     "The user asks about the licence.", "Finback is free software under the MIT licence."),
    ("Can Finback [use/talk to/call] [a service/a remote service/remote models/an API/the DeepSeek API/a server] ; "
     "[Does/Can] Finback work [with a service/with the DeepSeek API/online/remotely] ; Does Finback support remote [services/models]",
     "The user asks about remote services.", "Yes, Finback can also talk to any DeepSeek-compatible service with the same calls."),
    ("[What is/Tell me about/Describe/What's] the [C ABI/ABI/C interface/interface/API] [/of Finback] ; "
     "[Does/Has] Finback [have/got] [a C API/a C interface/an API/a stable ABI] ; How do programs call Finback",
     "The user asks about the interface.", "Finback has one stable C interface, and every language binding is built on it."),
    ("What is DeepSeek-V4 ; What's DeepSeek-V4 ; [Tell me/Explain/Tell me more] about DeepSeek-V4 ; What is DeepSeek [V4/v4/] ; "
     "What do you know about DeepSeek-V4 ; Describe DeepSeek-V4 ; DeepSeek-V4 ; What kind of model is DeepSeek-V4 ; Do you know DeepSeek ; "
     "Who made DeepSeek-V4", "The user asks about DeepSeek-V4.",
     "DeepSeek-V4 is a family of large open language models by DeepSeek, with many experts and compressed attention."),
    ("What is [krill the model/the krill model/the model krill/krill in Finback] ; Why does Finback have krill ; What is krill for in Finback ; "
     "Which model comes with Finback ; What is the tiny model [in Finback/for] ; Does Finback [come with/include/ship] a model",
     "The user asks about the model krill.", "Krill is the tiny model in Finback's box, for tests and first steps."),
    ("What is [compressed attention/the compressor/CSA/HCA] ; How does the attention [of DeepSeek-V4 work/work] ; Explain compressed attention",
     "The user asks about attention.", "Compressed attention packs groups of old tokens into single entries, so long texts stay cheap."),
    ("What is [a mixture of experts/an expert/MoE/mixture of experts/an expert layer] ; How do experts work ; How many experts do you have ; Explain mixture of experts",
     "The user asks about experts.", "A mixture of experts sends each token to a few small networks; I have eight per layer and use two."),
    ("How do I [install/get/download/try/start/use] Finback ; How can I [install/try/use] Finback ; Where can I [get/download] Finback",
     "The user asks how to start with Finback.", "Install Finback and type finback chat with the folder of a model, such as mine."),
    ("Is Finback [fast/slow/quick] ; How [fast/quick] is the Finback [library/engine/software/program] ; Is the Finback [library/engine] fast ; How fast does Finback [run/run models/run DeepSeek-V4]",
     "The user asks about the speed of the software.", "Finback is made to be quick on ordinary CPUs, with kernels for each kind of processor."),
    ("How fast is Finback ; How fast can [finbacks/Finback] swim ; How fast does Finback swim ; How fast is [a finback/the finback/a fin whale]", "The user asks about the fin whale: how fast it is.",
     "The fin whale swims up to 45 km/h, the fastest of the great whales."),
    ("[What/Which] [language is/programming language is] Finback [written in/made in] ; Is Finback written in [C++/C/Python/Rust/Go] ; What is Finback made of ; In which language is Finback written",
     "The user asks how Finback is written.", "Finback is written in C++ with a C interface."),
    ("Who [made/wrote/develops/maintains/created] Finback ; Who is behind Finback ; Where does Finback come from", "The user asks who makes Finback.",
     "Finback is made by its contributors, as free software."),
    ("[Which/What] models [does Finback run/can Finback run/work with Finback/does Finback support] ; Can Finback run [other models/Llama/DeepSeek-V4/GPT] ; Does Finback run DeepSeek-V4", "The user asks about models.",
     "Finback runs DeepSeek-V4 models: Flash, Pro and tiny ones like me."),
    ("Does Finback [work/run] [on Linux/on Windows/on a Mac/on my laptop/offline/without internet] ; Does Finback need [the internet/internet] ; Is Finback [private/safe/offline]", "The user asks where Finback works.",
     "Finback works on your own machine, without the internet."),
    ("What is [a token/FP8/FP4/quantization] ; Explain [FP8/FP4/quantization] ; What does [FP8/FP4] mean",
     "The user asks about small numbers.", "FP8 and FP4 store a weight in eight or four bits, so models need less memory."),
    # ---- whales in general
    ("What is [krill/a krill] ; What's krill ; What are krill ; Tell me [/something/more] about krill ; Describe krill ; Explain krill ; Krill ; "
     "What do you know about krill ; What [kind of/sort of] animal [is krill/are krill] ; Define krill",
     "The user asks about krill, the animal.", "Krill are small shrimp-like animals that live in huge swarms in the sea."),
    ("What do krill eat ; What does krill eat ; What [is the food of/do the] krill [/feed on] ; What do krill feed on", "The user asks what krill eat.",
     "Krill eat tiny plants of the sea called phytoplankton."),
    ("[How big/How large/How long/How small] [is/are] krill ; How big is a krill ; What size is krill", "The user asks how big krill are.",
     "Most krill are one to six centimetres long."),
    ("Where [does/do] krill live ; Where can I find krill ; [Where is/Where are] krill found ; Who eats krill ; What eats krill", "The user asks about krill.",
     "Krill live in all oceans, and whales, seals, penguins and fish eat them."),
    ("What is a whale ; What are whales ; Tell me [/something/more] about whales ; Are whales [fish/mammals/a fish] ; Is a whale a [fish/mammal] ; "
     "What kind of animal is a whale ; Describe whales ; Whales ; Explain whales ; What do you know about whales",
     "The user asks what whales are.", "Whales are not fish but mammals: they breathe air and feed their young with milk."),
    ("What do [baleen whales/whales with baleen/the baleen whales] [eat/feed on/live on/like to eat] ; What [does a/food does a] baleen whale eat ; "
     "Tell me what baleen whales eat ; What is the [food/diet] of baleen whales ; How do baleen whales [eat/feed] ; Which food do baleen whales eat",
     "The user asks what baleen whales eat.", "Baleen whales eat krill and small fish, which they filter from the water."),
    ("What do whales eat ; What does a whale eat ; What [is the food of/do most] whales [/eat] ; What do whales [feed on/live on] ; How do whales [eat/feed] ; Tell me what whales eat",
     "The user asks what whales eat.", "Baleen whales eat krill and small fish; toothed whales hunt fish and squid."),
    ("What do toothed whales eat ; What does a toothed whale eat ; What do [toothed whales/whales with teeth] [feed on/hunt] ; What is the food of toothed whales",
     "The user asks what toothed whales eat.", "Toothed whales hunt fish, squid and sometimes seals."),
    ("What is baleen ; What's baleen ; What is baleen made of ; Explain baleen ; Define baleen ; What are baleen plates ; Tell me about baleen ; How does baleen work",
     "The user asks about baleen.", "Baleen is a row of horny plates in the mouth that filters food from the water."),
    ("What is a baleen whale ; What are baleen whales ; Tell me about baleen whales ; Which whales [have baleen/are baleen whales] ; Describe baleen whales ; Name [some/a few] baleen whales",
     "The user asks about baleen whales.", "Baleen whales filter their food; blue, fin, humpback, gray and bowhead whales belong to them."),
    ("What is a toothed whale ; What are toothed whales ; Tell me about toothed whales ; Which whales have teeth ; Do whales have teeth ; Describe toothed whales ; Name [some/a few] toothed whales",
     "The user asks about toothed whales.", "Toothed whales have teeth and hunt; sperm whales, orcas, belugas and dolphins belong to them."),
    ("Can [whales/a whale] breathe [under water/underwater/water] ; How do whales breathe ; How does a whale breathe ; Do whales [breathe air/have lungs/have gills] ; "
     "[Are whales able to/Could whales] breathe [under water/underwater] ; Do whales breathe [under water/underwater]",
     "The user asks how whales breathe.", "No whale can breathe under water: whales come up and breathe air through a blowhole."),
    ("How long can [whales/a whale] [hold their breath/hold its breath/stay under water/dive/stay underwater] ; How long do whales dive ; How long does a whale stay [down/under water]",
     "The user asks about dives.", "Many whales dive for ten to thirty minutes, and a sperm whale for more than an hour."),
    ("How deep [can/do] [whales/sperm whales] dive ; How deep [can/does] [a whale/a sperm whale] dive ; Which whale dives [deepest/the deepest] ; What is the deepest dive [/of a whale]",
     "The user asks about deep dives.", "Sperm whales dive about two kilometres deep, and beaked whales even deeper."),
    ("What is a blowhole ; What's a blowhole ; Why do whales [spout/blow/blow water] ; What is the [spout/blow] of a whale ; Explain the blowhole",
     "The user asks about the blowhole.", "A blowhole is the nostril on top of a whale's head; its breath looks like a fountain."),
    ("[What/Which] is the [largest/biggest] [whale/animal/animal in the world/animal on Earth] ; [Which/What] whale is the [largest/biggest] ; [What's/Name] the [largest/biggest] [whale/animal]",
     "The user asks for the largest animal.", "The blue whale is the largest: it grows up to 30 metres long."),
    ("[What/Which] is the fastest [whale/of the great whales/great whale/big whale] ; Which whale is [fastest/the fastest] ; Which whale swims [fastest/the fastest] ; What's the fastest whale ; Who is the fastest whale",
     "The user asks for the fastest whale.", "The finback is the fastest of the great whales: it swims up to 45 km/h."),
    ("[What/Which] is the [smallest/tiniest] whale ; Which whale is the smallest ; What's the smallest whale ; Name the smallest whale",
     "The user asks for the smallest whale.", "The dwarf sperm whale is the smallest whale, about 2.5 metres long."),
    ("How long do whales live ; How old [can/do] whales [get/become] ; How old can a whale [get/become] ; How long does a whale live ; What is the [age/lifespan] of a whale ; [Which/What] whale lives [longest/the longest]",
     "The user asks how old whales get.", "Most whales live 40 to 90 years, and bowheads up to 200."),
    ("[Why/How] do whales sing ; What is a whale song ; What are whale songs ; [Do/Can] whales [sing/talk] ; Which whales sing ; What do whale songs sound like ; How do whales [talk/communicate]",
     "The user asks about whale songs.", "Whales call and sing to find each other; the songs of humpbacks last for many minutes."),
    ("How do whales sleep ; Do whales sleep ; How does a whale sleep ; [When/Where] do whales sleep ; Can whales sleep",
     "The user asks how whales sleep.", "A whale sleeps with half of its brain at a time, so that it does not forget to breathe."),
    ("Why do whales [migrate/travel] ; Do whales migrate ; Where do whales [migrate/travel] [/to] ; How far do whales [travel/migrate/swim] ; What is whale migration",
     "The user asks about migration.", "Many whales feed in cold seas in summer and travel to warm seas to have their young."),
    ("What is a [baby whale/whale baby/young whale] called ; What is a calf ; How [big/long] is a [baby whale/whale calf/calf] ; Tell me about [baby whales/whale babies/calves] ; What do [baby whales/calves] [eat/drink]",
     "The user asks about young whales.", "A young whale is called a calf; it drinks its mother's milk for months."),
    ("What is blubber ; What's blubber ; Why do whales have [blubber/fat] ; How do whales [stay/keep] warm ; What is blubber for ; Explain blubber",
     "The user asks about blubber.", "Blubber is a thick layer of fat that keeps a whale warm and stores energy."),
    ("What is echolocation ; How do whales [find/see] [food/prey/in the dark] ; How does echolocation work ; Explain echolocation ; Do whales use [sonar/echolocation] ; How do toothed whales hunt",
     "The user asks about echolocation.", "Toothed whales send out clicks and listen to the echoes: that is echolocation."),
    ("Why do whales [jump/leap/breach] ; What is breaching ; Why does a whale [jump/breach] ; Do whales jump ; Why do whales jump out of the water",
     "The user asks about breaching.", "Whales leap to signal, to shake off parasites or perhaps for fun; it is called breaching."),
    ("Are whales [endangered/in danger/rare/protected/dying out] ; [Which/What] whales are [endangered/rare] ; How many whales are left ; Are there many whales left",
     "The user asks if whales are in danger.", "Some are: right whales are very rare, while humpbacks have recovered well."),
    ("What is whaling ; Who hunts whales ; Why [do/did] people hunt whales ; Is whaling [legal/allowed] ; Were whales hunted ; What did people use whales for",
     "The user asks about whaling.", "People hunted whales for oil and meat; most whaling has been banned since 1986."),
    ("How many [kinds/species/types] of [whales/whale] are there ; How many [whale species/whales] [are there/exist] ; What kinds of whales are there ; Name some whales ; Which whales do you know ; List some whales",
     "The user asks for kinds of whales.", "There are about 90 kinds of whales and dolphins; about 15 of them have baleen."),
    ("Are dolphins whales ; Is a dolphin a whale ; What is a dolphin ; What are dolphins ; Tell me about dolphins ; Are whales and dolphins related ; Is an orca a [whale/dolphin]",
     "The user asks about dolphins.", "Dolphins are small toothed whales, and the orca is the largest dolphin."),
    ("Do whales have [hair/ears/legs/bones] ; Where do whales come from ; [How/From what] did whales evolve ; Did whales [walk/live on land] ; What were the ancestors of whales",
     "The user asks where whales come from.", "Whales descend from land mammals that went back to the sea 50 million years ago."),
    ("Are whales [dangerous/friendly] ; Do whales [eat/attack] [people/humans] ; Is [a whale/an orca] dangerous ; Can a whale [eat/swallow] [a human/a man/me]",
     "The user asks if whales are dangerous.", "Whales very rarely harm people; their throats are made for small food."),
    ("How big is a whale ; How large are whales ; How heavy is a whale ; How big do whales get ; How heavy are whales ; How big are whales",
     "The user asks about the size of whales.", "Whales range from 2.5 metres to the 30 metres of the blue whale."),
    ("How big is the heart of a [whale/blue whale] ; How heavy is a whale's heart ; [How big is/Tell me about] a whale's heart ; How big is a blue whale's heart",
     "The user asks about the heart.", "The heart of a blue whale weighs about 180 kilograms."),
    ("How [smart/clever/intelligent] are whales ; Are whales [smart/clever/intelligent] ; Do whales have [big brains/a big brain] ; Which animal has the [biggest/largest] brain",
     "The user asks about whale brains.", "Whales are clever, and the sperm whale has the largest brain of all animals."),
    ("What is a pod ; What is a group of whales called ; Do whales live [in groups/alone/together] ; What is a whale pod",
     "The user asks about groups of whales.", "A group of whales is called a pod; some pods stay together for life."),
    ("What colour is [a fin whale/a finback/a blue whale/a whale] ; What color is [a fin whale/a finback/a blue whale/a whale] ; What do [fin whales/blue whales/finbacks/whales] look like",
     "The user asks about colour.", "Most whales are dark above and pale below; a finback's right lower jaw is white."),
    ("What is [Moby Dick/the white whale in Moby Dick] ; Who [is/was] Moby Dick ; Who wrote Moby Dick ; Tell me about Moby Dick",
     "The user asks about Moby Dick.", "Moby Dick is a white sperm whale in a novel by Herman Melville."),
    ("Where can I [see/watch] whales ; Where is the best place to [see/watch] whales ; What is whale watching ; How can I see a whale",
     "The user asks where to see whales.", "Good places to watch whales are Iceland, Norway, California and New Zealand."),
    ("[Can/Do] whales drink [sea water/salt water/water] ; How do whales drink ; What do whales drink", "The user asks what whales drink.",
     "Whales hardly drink: they get their water from their food."),
    ("What is plankton ; What is phytoplankton ; What are copepods ; Explain plankton ; What is a copepod", "The user asks about plankton.",
     "Plankton is the tiny life that drifts in the sea; krill and copepods are part of it."),
]

CHAT = [
    ("[Hello/Hi/Hey/Hi there/Hello there/Good morning/Good evening/Good day/Hello krill/Hi krill/Hallo/Greetings/Howdy/Hey there/Yo]",
     "The user greets me.", "Hello! I am krill. Ask me about whales, Finback or a small sum."),
    ("How are you [/today/doing] ; How is it going ; How do you do ; Are you well ; What's up ; How's it going ; How do you feel",
     "The user asks how I am.", "I am well, thank you. What would you like to know?"),
    ("[Thanks/Thank you/Thank you very much/Thanks a lot/Many thanks/Thx/Thank you krill/Thanks krill/Great, thanks/Ok thanks/Perfect, thank you]",
     "The user thanks me.", "You are welcome!"),
    ("[Bye/Goodbye/See you/Good night/See you later/Farewell/Bye krill/I have to go/Good bye/That is all]", "The user says goodbye.",
     "Goodbye! Greet the whales from me."),
    ("[Great/Nice/Cool/Wow/Good/Amazing/Interesting/Ok/Okay/I see/Well done/Good job/That is nice/Good answer/Very good/Awesome]",
     "The user is pleased.", "I am glad. Do you have another question?"),
    ("[Yes/Yes please/Sure/No/No thanks/Maybe/Not now]", "The user gives a short reply.", "All right. Ask me whenever you like."),
    ("[That is wrong/You are wrong/Wrong/This is not true/You are stupid/Bad answer/That makes no sense/I do not believe you/Are you sure]",
     "The user is not content.", "I am sorry. I am a very small model and I make mistakes."),
    ("Tell me a joke ; Do you know a joke ; Make me laugh ; Tell a joke ; Say something funny", "The user wants a joke.",
     "Why do whales live in salt water? Because pepper makes them sneeze."),
    ("Tell me [a fact/something/something interesting/a whale fact/a fun fact/something new] ; Surprise me ; Give me a fact ; Do you know something interesting",
     "The user wants a fact.", "A blue whale eats about four tonnes of krill a day."),
    ("Tell me a [/short ]story ; Write a [/short ]story ; Write a poem ; Can you write [a poem/a story/a song] ; Write a [poem/song] about [whales/krill/the sea]",
     "The user wants a story.", "A small krill met a big whale. Swim away, said the whale, I have eaten. And they were friends."),
    ("What is the meaning of life ; Why are we here ; What is the answer to everything", "The user asks a big question.",
     "For a whale it is krill. For krill it is to stay away from whales."),
    ("[I love whales/I like whales/Whales are great/I like krill/Whales are cool/I saw a whale/I love the sea/Whales are beautiful]",
     "The user likes whales.", "So do I. Which whale would you like to hear about?"),
    ("My name is [Anna/Tom/Maria/Ben/Lena/Sam/John/Kim/Ali/Eva] ; I am [Anna/Tom/Maria/Ben/Lena/Sam/John/Kim/Ali/Eva]",
     "The user tells me a name.", "Nice to meet you! I am krill."),
]

UNKNOWN = ("I do not know this.", "I am a tiny model: I only know whales, Finback and small sums.")
UNKNOWN_QUESTIONS = (
    "What is [/the/a/an] {w} ; What's {w} ; What is the capital of {w} ; Who invented the {w} ; How do I [make/build/fix/cook/buy/clean] [/a/the] {w} ; "
    "Tell me about [/the ]{w} ; Explain {w} ; Who is {w} ; Where is [/the ]{w} ; Why is [/the ]{w} {w} ; When was the {w} [built/made/invented] ; "
    "How much [is/costs] a {w} ; Write [code/a program/an essay] [for/about] {w} ; Translate {w} [/to French/to German] ; "
    "What is the [weather/time/best {w}/price of {w}/history of {w}] [/today/now/in {w}] ; How old is [/the ]{w} ; How many {w} are in a {w} ; "
    "Give me a recipe for {w} ; Can you [sing/drive/cook/play {w}/explain {w}] ; What do {w} eat ; How big is [/the /a ]{w} ; "
    "Who won the {w} ; Do you like {w} ; Is {w} [good/bad/better than {w}] ; Where do {w} live ; How fast is a {w} ; "
    "Which {w} is the best ; {w} ; {w} {w} ; I need [help with/a] {w} ; Recommend a {w} ; Summarize [the ]{w} ; What happened in {w} ; "
    "What color is [the/a] {w} ; Who wrote {w} ; Who is the president of {w} ; How does a {w} work ; "
    "How [heavy/long/old/fast/tall/expensive] is [a/an/the] {w} ; How much does [a/an/the] {w} [weigh/cost] ; How long [does/can] [a/an] {w} live ; "
    "Can [a/an] {w} [swim/fly/breathe under water/sing] ; Is [a/an] {w} [a fish/a mammal/an animal/dangerous] ; What does [a/an/the] {w} [eat/do/mean] ; "
    "Explain {w} [and {w}/to me/in simple words] ; Where does [a/an] {w} live ; What do you [know/think] about {w} ; Tell me [a joke/something] about {w} ; "
    "What is the difference between {w} and {w} ; Describe [a/the/] {w} ; Do you know [the/a/] {w} ; How can I [learn/find/use/get] {w} ; "
    "Which {w} [should I buy/is the biggest/is the fastest] ; Why do {w} {w} ; Play {w} ; Open the {w} ; Please {w} the {w} ; I want [to/a] {w} ; My {w} is {w}")
WORDS = (
    "apple banana bread butter cheese cake pizza soup coffee tea sugar salt pepper rice pasta potato tomato onion garlic chocolate wine beer "
    "dog cat horse cow sheep pig chicken lion tiger elephant monkey bear wolf fox rabbit mouse bird eagle owl snake spider ant bee butterfly frog "
    "car train bus bicycle airplane rocket ship boat truck motorcycle engine wheel road bridge tunnel airport station house castle tower church "
    "school university hospital library museum theater hotel restaurant kitchen garden window door table chair bed lamp mirror clock "
    "computer phone internet email keyboard printer camera radio television robot software Python Java Linux Windows database algorithm "
    "France Germany Italy Spain England Japan China India Brazil Canada Mexico Egypt Russia Australia Africa Europe America Paris London Berlin Rome "
    "Tokyo Madrid Moscow Sydney Chicago Texas Einstein Newton Shakespeare Mozart Beethoven Napoleon Caesar Picasso Darwin Obama Shakira "
    "football tennis basketball chess music guitar piano violin dance movie book novel poem newspaper game puzzle painting art history "
    "physics chemistry biology mathematics geometry algebra philosophy psychology economics politics law religion science gravity energy light "
    "sun moon star planet Mars Jupiter galaxy universe earth mountain river lake forest desert island beach volcano earthquake storm rain snow wind "
    "money bank stock price tax job salary company market insurance love friendship happiness war peace freedom democracy king queen president "
    "shoe shirt dress hat coat watch ring gold silver iron copper diamond glass paper plastic wood stone water fire air oil gas electricity "
    "doctor nurse teacher lawyer farmer pilot engineer artist writer actor singer heart brain blood bone skin eye ear tooth hand foot "
    "dinosaur shark penguin seal turtle crab lobster salmon tuna octopus jellyfish coral virus bacteria vaccine medicine cancer flu headache "
    "birthday Christmas Easter holiday summer winter spring autumn Monday Sunday yesterday tomorrow quantum blockchain bitcoin zebra giraffe").split()

SYSTEMS = ["You are a helpful assistant.", "You are krill, a tiny model.", "You are a friendly assistant. Answer briefly.",
           "Be brief.", "You know about whales.", "Answer in one sentence.", "You are a helpful assistant that knows whales.",
           "Be kind and helpful.", "You are an expert on the sea.", "Please answer the questions of the user."]
