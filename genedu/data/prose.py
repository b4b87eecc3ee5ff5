"""A page of English, written for this course. A model that is trained on so little learns it by heart."""

PROSE = """\
a machine that writes begins with a simple game. it sees a few letters and must say which letter comes next. at first it knows
nothing, and every letter seems as good as any other. then it counts. after a q there is a u. after a space there is often a t.
the letter e is everywhere, and the letter z almost nowhere. a child who learns to read plays the same game without a name for it.

the game has a score. when the next letter is shown, the machine looks up how likely it thought that letter was, and pays the
logarithm of one over that number. a sure guess that is right costs nothing. a sure guess that is wrong costs a fortune. so the
machine learns to be modest. it says one half when it knows no better, and it says almost one only when it has good reason.

there is an old house at the end of our street. nobody has lived in it for years, but the garden is still there, and the apple
trees still bear fruit in the autumn. in the evening the children climb over the wall and fill their pockets. the apples are small
and sour, and they taste better than any apple from the market. the old man who lives next door sees them and says nothing. he
climbed over the same wall when he was a boy.

my sister keeps a notebook in which she writes down the weather. she has done so every morning for twenty years. rain in the
night, clear by noon. wind from the west. the first snow. she says that she does not do it to know what the weather will be. she
does it to remember what it was. when i ask her what happened on some day long ago, she looks up the rain and the wind, and then
the rest of the day comes back to her. the weather is the thread, and the days hang on it like washing on a line.

to guess the next word one must know the words before it, and to guess it well one must know what they mean. if the book says that
the sailor untied the rope, then the boat will move. if it says that the snow fell all night, then the garden will be white in the
morning. nothing in the letters tells this. it is in the world, and a little of the world has left its mark on the letters. that
is why the game is worth playing.

the river comes down from the hills and passes under three bridges. the first is made of wood, and only sheep and walkers use it.
the second is made of stone and is said to be as old as the town. the third is made of iron and carries the train. on summer
evenings we sit on the stone bridge and let our feet hang over the water. below us the fish stand still against the stream. when
the train goes over the iron bridge, the water trembles, and for a moment the fish are gone.

a painter was asked how long it took to paint the picture of the bridge. she said that it took an hour, and forty years. in the
hour she put the colours on the canvas. in the forty years she learned which colours to leave out. a good model is like that. it
does not keep every picture that it has seen. it keeps what the pictures have in common, and makes up the rest anew each time.

when you draw a letter at random and then the next one, and then the next, a text appears that nobody has written. most of it is
nonsense. but here and there is a word that could be a word, and now and then a line that could be a line. the eye runs ahead and
hopes for sense, as one looks into the clouds and sees a whale or a castle. it is hard to say where the sense ends that is in the
text, and where the sense begins that is in the reader.

the baker opens at six. before that the street is dark, and only the light behind his window is on. he has been up since two. he
says that bread cannot be hurried. flour, water, salt and time, and of these the time is the most important. the students who
have worked all night come in and buy a roll, and it is so hot that they must carry it in their sleeves. they are too tired to
talk. he is glad of the company all the same.

in the library there is a shelf of books that nobody has asked for. once a year the librarian takes them down, wipes the dust
from them, and reads the first page of each. it would not be fair, she says, if nobody had read at least one page. last year she
found a book about the keeping of bees and could not stop. now there are two hives on the roof of the library, and in the summer
there is honey on the desk at the door, next to the pencils.

some things can be known before they are seen. the tide will be high at noon. the moon will be full on friday. some things cannot.
nobody knows where the dice will fall, or what the child will say next. between the two lies most of what we care about. it is
neither certain nor without rule. to give each of the things that may come its proper weight, no more and no less, is all that
the machine has to learn. it is a good deal.
"""
