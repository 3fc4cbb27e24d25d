package main

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// cores returns the default of --threads. More threads than cores are many times slower,
// so a larger GOMAXPROCS doesn't count.
func cores() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// readers makes kong read numbers and times by functions whose errors name the remedy.
// It also keeps every byte of a string, such as a file's name. Kong's own reader goes
// through JSON, which makes U+FFFD of what is not UTF-8.
func readers() kong.Option {
	all := []kong.Option{
		kong.TypeMapper(reflect.TypeFor[time.Duration](), reader(func(to reflect.Value, s string) error {
			d, err := time.ParseDuration(s)
			if _, number := strconv.ParseFloat(s, 64); err != nil && number == nil {
				return fmt.Errorf("%s has no unit: give a time such as %[1]ss or %[1]sm", s)
			}
			if err != nil {
				return fmt.Errorf("%q is no time: give one such as 20s or 3m", s)
			}
			to.SetInt(int64(d))
			return nil
		})),
		kong.TypeMapper(reflect.TypeFor[byteSize](), reader(func(to reflect.Value, s string) error {
			n, err := parseSize(s)
			to.SetInt(n)
			return err
		})),
		kong.KindMapper(reflect.String, kong.MapperFunc(func(ctx *kong.DecodeContext, to reflect.Value) error {
			t, err := ctx.Scan.PopValue("string")
			if err == nil {
				to.SetString(t.String())
			}
			return err
		})),
		kong.KindMapper(reflect.Int, reader(func(to reflect.Value, s string) error {
			n, err := strconv.ParseInt(s, 0, strconv.IntSize)
			if err != nil {
				return fmt.Errorf("%q is no whole number%s: give one such as 20", s, beyond(err))
			}
			to.SetInt(n)
			return nil
		})),
		kong.KindMapper(reflect.Uint64, reader(func(to reflect.Value, s string) error {
			n, err := strconv.ParseUint(s, 0, 64)
			if err != nil {
				return fmt.Errorf("%q is no whole number from 0 up%s: give one such as 20", s, beyond(err))
			}
			to.SetUint(n)
			return nil
		})),
		kong.KindMapper(reflect.Float64, reader(func(to reflect.Value, s string) error {
			v, err := strconv.ParseFloat(s, 64)
			if err != nil {
				return fmt.Errorf("%q is no number%s: give one such as 20 or 0.5", s, beyond(err))
			}
			to.SetFloat(v)
			return nil
		})),
		kong.NamedMapper("output", reader(func(to reflect.Value, s string) error {
			to.SetString(outputName(s))
			return nil
		})),
	}
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, o := range all {
			if err := o.Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// A byteSize is a number of bytes, on the command line such as 64M or 2G.
type byteSize int64

// parseSize parses a number of bytes with its unit: K, M, G or T, each 1024 times the one
// before. "iB" may follow the unit.
func parseSize(s string) (int64, error) {
	number := strings.TrimRight(strings.TrimSuffix(s, "iB"), "KMGTkmgt")
	v, err := strconv.ParseFloat(number, 64)
	unit := strings.TrimSuffix(s[len(number):], "iB")
	switch {
	case err != nil || len(unit) > 1 || math.IsNaN(v) || unit == "" && v <= 0 || strings.ContainsAny(number, "xXpP_"):
		return 0, fmt.Errorf("%q is no size: give one such as 64M or 2G", s)
	case unit == "":
		return 0, fmt.Errorf("%s has no unit: give a size such as %[1]sM or %[1]sG", s)
	}
	v *= float64(int64(1024) << (10 * strings.Index("KMGT", strings.ToUpper(unit))))
	if math.Abs(v) >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size that fits: give one such as 64M or 2G", s)
	}
	return int64(v), nil
}

// reader returns a kong.Mapper of a value that is written in one argument.
func reader(read func(to reflect.Value, s string) error) kong.Mapper {
	return kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
		return read(target, ctx.Scan.Pop().String())
	})
}

// beyond says if the number is too large for its type.
func beyond(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return " that fits"
	}
	return ""
}

// checkValues returns an error if a flag that needs a value is the last argument, or if
// the next flag stands where its value should. A value that is spelled like a flag of
// the command can be given as --flag=value.
func checkValues(parser *kong.Kong, args []string) error {
	flags := map[string]*kong.Flag{} // by what is typed
	add := func(of []*kong.Flag) {
		for _, f := range of {
			flags["--"+f.Name] = f
			if f.Tag.Negatable != "" {
				flags["--no-"+f.Name] = f
			}
		}
	}
	add(parser.Model.Flags)
	for _, command := range parser.Model.Children {
		if len(args) > 0 && command.Name == args[0] {
			add(command.Flags)
		}
	}
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		flag := flags[args[i]]
		if flag == nil || flag.IsBool() || mayLackValue(flag) {
			continue
		}
		i++ // to the value
		switch {
		case i == len(args):
			return fmt.Errorf("--%s: its value is missing: give %s after it", flag.Name, flag.FormatPlaceHolder())
		case flags[strings.SplitN(args[i], "=", 2)[0]] != nil:
			return fmt.Errorf("--%s: its value is missing before %s: give %s after it", flag.Name, args[i], flag.FormatPlaceHolder())
		}
	}
	return nil
}
