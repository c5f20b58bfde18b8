package plan

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand puts the values of environment variables in the place of ${NAME}. A $ without a brace stands for itself.
func expand(s string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, "${")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		switch {
		case !closed:
			return "", fmt.Errorf("${%s is not closed; write ${NAME}", rest)
		case !variable.MatchString(name):
			return "", fmt.Errorf("${%s} is not an environment variable; write ${NAME}", name)
		}
		value, set := lookup(name)
		if !set || value == "" {
			return "", fmt.Errorf("the environment variable %s is not set", name)
		}
		b.WriteString(value)
		s = after
	}
}

// sourcePath is the path of a source as one types it from the working folder; in a plan it is relative to the plan's folder.
func sourcePath(plan, s string, lookup func(string) (string, bool)) (string, error) {
	path, err := expand(s, lookup)
	switch {
	case err != nil:
		return "", err
	case path == "":
		return "", fmt.Errorf("the path is empty")
	case strings.Contains(path, "://"):
		return "", fmt.Errorf("%s is not supported by this version; name a file", strings.SplitAfter(path, "://")[0])
	case filepath.IsAbs(path):
		return filepath.Clean(path), nil
	}
	return filepath.Join(filepath.Dir(plan), filepath.FromSlash(path)), nil
}
