package hostconf

import (
	"os"
	"slices"
	"strings"
)

// source is one of the places where nsswitch.conf says to look for hosts.
type source struct {
	name   string
	action string // what follows it in brackets, lower-case
}

// parseNSSwitch returns the sources in the line for hosts, none if there is no
// such line.
func parseNSSwitch(text string) []source {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "hosts:"); ok {
			return parseSources(strings.ToLower(rest))
		}
	}
	return nil
}

func parseSources(text string) []source {
	var sources []source
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		if inside, ok := strings.CutPrefix(text, "["); ok {
			action, rest, _ := strings.Cut(inside, "]")
			if len(sources) > 0 {
				sources[len(sources)-1].action += strings.TrimSpace(action)
			}
			text = rest
			continue
		}
		end := strings.IndexAny(text, " \t[")
		if end < 0 {
			end = len(text)
		}
		sources = append(sources, source{name: text[:end]})
		text = text[end:]
	}
	return sources
}

// unsupported returns the first source that matters for name and is not one of
// files and dns, in this order and with the usual actions. No sources at all
// mean these two.
func unsupported(sources []source, name string) string {
	relevant := slices.DeleteFunc(slices.Clone(sources), func(s source) bool { return irrelevant(s.name, name) })
	for i, s := range relevant {
		switch {
		case s.name == "dns" && slices.ContainsFunc(relevant[i:], func(s source) bool { return s.name == "files" }):
			return `"dns" before "files"`
		case s.name != "files" && s.name != "dns":
			return `"` + s.name + `"`
		case !usual(s.action):
			return `"[` + s.action + `]"`
		}
	}
	return ""
}

// irrelevant tells whether a source has nothing to say about a name.
func irrelevant(source, name string) bool {
	name = canonical(name)
	switch {
	case strings.HasPrefix(source, "mdns"):
		return !strings.HasSuffix(name, ".local")
	case source == "myhostname":
		return !isMyHostName(name)
	case source == "mymachines":
		return strings.Contains(name, ".") // names of containers have none
	default:
		return false
	}
}

func isMyHostName(name string) bool {
	if name == "_gateway" || name == "_outbound" || name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".localdomain") {
		return true
	}
	own, err := os.Hostname()
	return err != nil || name == canonical(own)
}

// usual tells whether an action changes nothing for a client that goes on to the
// next source when one does not have the name.
func usual(action string) bool {
	for criterion := range strings.FieldsSeq(action) {
		if !slices.Contains([]string{"success=return", "notfound=continue", "unavail=continue", "tryagain=continue"}, criterion) {
			return false
		}
	}
	return true
}
