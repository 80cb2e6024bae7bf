// Package secret keeps what must not be shown.
package secret

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"unique"
)

// Text is a secret, or none if it is zero. Those with the same text are equal.
// It does not show what it is when it is printed, not even as an unexported
// field, whose methods package fmt cannot call.
type Text struct{ handle unique.Handle[string] }

// New returns a text as a secret. The zero Text stands for "".
func New(text string) Text {
	if text == "" {
		return Text{}
	}
	return Text{unique.Make(text)}
}

// Reveal returns the text, "" if there is none.
func (t Text) Reveal() string {
	if t == (Text{}) {
		return ""
	}
	return t.handle.Value()
}

// Hidden is what a secret prints as.
const Hidden = "xxxxx"

// String returns [Hidden].
func (Text) String() string { return Hidden }

// GoString returns [Hidden].
func (Text) GoString() string { return Hidden }

// Hide returns text with every occurrence of the secrets replaced. Empty ones
// are passed over.
func Hide(text string, secrets ...Text) string {
	// The longest first, of which others may be a part.
	secrets = slices.Clone(secrets)
	slices.SortFunc(secrets, func(a, b Text) int { return len(b.Reveal()) - len(a.Reveal()) })
	for _, s := range secrets {
		if s != (Text{}) {
			text = strings.ReplaceAll(text, s.Reveal(), Hidden)
		}
	}
	return text
}

// prefix opens every reference.
const prefix = "sealed-"

// store has the secrets that were sealed, for as long as the process runs: a
// channel may resolve its target again at any time. There are as many as a
// program has different secrets.
var store struct {
	mu   sync.Mutex
	refs map[Text]string
	text map[string]Text
}

// Seal returns a reference that may be shown instead of the secret, and that
// [Open] understands in this process. The same secret has the same reference; a
// reference is its own.
func Seal(s Text) string {
	store.mu.Lock()
	defer store.mu.Unlock()
	if _, ok := store.text[s.Reveal()]; ok {
		return s.Reveal()
	}
	if ref, ok := store.refs[s]; ok {
		return ref
	}
	if store.refs == nil {
		store.refs, store.text = make(map[Text]string), make(map[string]Text)
	}
	ref := prefix + strconv.Itoa(len(store.refs)+1)
	store.refs[s], store.text[ref] = ref, s
	return ref
}

// Open returns the secret that a reference stands for, and anything else as it
// is.
func Open(ref string) Text {
	store.mu.Lock()
	defer store.mu.Unlock()
	if s, ok := store.text[ref]; ok {
		return s
	}
	return New(ref)
}
