package dns

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// configPrefix opens a TXT record that holds service configs, at the name
// _grpc_config.<host> (gRFC A2).
const (
	configPrefix = "grpc_config="
	configName   = "_grpc_config."
)

// client is what the choice between service configs depends on.
type client struct {
	hostname string
	roll     int // 0 to 99, drawn once: a channel stays on its side of a percentage
}

// choice is one service config and who should use it. What is not given, fits.
type choice struct {
	ClientLanguage *[]string       `json:"clientLanguage"`
	ClientHostName *[]string       `json:"clientHostName"`
	Percentage     *int            `json:"percentage"`
	ServiceConfig  json.RawMessage `json:"serviceConfig"`
}

func (c choice) fits(who client) bool {
	switch {
	case len(c.ServiceConfig) == 0 || string(c.ServiceConfig) == "null":
		return false
	case c.ClientLanguage != nil && !slices.ContainsFunc(*c.ClientLanguage, func(l string) bool { return strings.EqualFold(l, "go") }):
		return false
	case c.ClientHostName != nil && !slices.Contains(*c.ClientHostName, who.hostname):
		return false
	default:
		return c.Percentage == nil || who.roll < *c.Percentage
	}
}

// configText returns the record that holds service configs, without its prefix.
// Of several the least counts: their order is not fixed.
func configText(records []string) (text string, ok bool) {
	for _, r := range records {
		if t, is := strings.CutPrefix(r, configPrefix); is && (!ok || t < text) {
			text, ok = t, true
		}
	}
	return text, ok
}

// choose returns the first service config that is meant for who, or "" if none
// is.
func choose(text string, who client) (string, error) {
	var choices []choice
	if err := json.Unmarshal([]byte(text), &choices); err != nil {
		return "", fmt.Errorf("want a JSON array of choices: %w", err)
	}
	for _, c := range choices {
		if c.fits(who) {
			return string(c.ServiceConfig), nil
		}
	}
	return "", nil
}
